/** What a token may allow, and what a route may ask for. */
import type { ShoalError } from '@shoal/kernel'

/**
 * Each is named by itself; none includes another. A program that only collects may write without
 * being able to read, and who looks after the cluster need not see what is stored in it.
 */
export const scopes = ['read', 'write', 'admin'] as const
export type Scope = (typeof scopes)[number]

/**
 * What a route asks for. `open`: nothing. `token`: any token; its handler asks for more where it
 * knows what is wanted, as a batch does for each of its items.
 */
export type Access = 'open' | 'token' | Scope

/** One line for each route, as `access` was declared. */
export interface RouteAccess {
  readonly method: string
  readonly url: string
  readonly access: Access | undefined
}

/** Who sent a request, as far as that matters. */
export interface Caller {
  /** For the audit log: `name (id)` of the token, undefined where nobody was asked for one. */
  readonly name: string | undefined
  may(scope: Scope): boolean
  mayUse(bucket: string): boolean
  /** Whether that holds for every bucket. */
  readonly mayUseAll: boolean
  /**
   * Counts operations beyond the first of a request against the caller's rate.
   *
   * @returns 0, or the milliseconds until there is room; then nothing was counted
   */
  spend(operations: number): number
}

/** The caller where nobody is asked who they are. */
export const anyone: Caller = {
  name: undefined,
  may: () => true,
  mayUse: () => true,
  mayUseAll: true,
  spend: () => 0,
}

/** Who asks, from where. */
export interface Claim {
  /** The header as it came. Never logged, never quoted. */
  readonly authorization: string | undefined
  /** The address of the connection's other end. */
  readonly address: string
}

/** Decides who comes in. */
export interface Gate {
  /** Whoever asks, or why not: SHOAL_UNAUTHENTICATED, SHOAL_FORBIDDEN, SHOAL_RATE_LIMITED. */
  admit(claim: Claim, access: Exclude<Access, 'open'>): Caller | ShoalError
}
