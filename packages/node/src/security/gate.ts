/**
 * Who comes in, by token and by rate.
 *
 * A valid token is known before any count of wrong ones is looked at. To refuse an address that has
 * guessed too often would lock out everyone who shares it, a whole company behind one proxy, and
 * 256 bits are not found by guessing anyway. The bound on wrong tokens keeps the noise small.
 */
import { type Env, limits, ShoalError } from '@shoal/kernel'
import { clientOf } from './address.ts'
import { Allowance } from './allowance.ts'
import { type Access, anyone, type Caller, type Claim, type Gate, type Scope } from './scopes.ts'
import { covers, digestOf, idOf, isSame, type TokenRecord } from './token.ts'

export interface GateParts {
  readonly env: Env
  /** Undefined: nobody is asked for a token. */
  readonly tokens: readonly TokenRecord[] | undefined
  /** Operations a second for each token or, where none are asked for, address; 0 for no bound. */
  readonly rate: number
  /** Wrong tokens of one address that get an answer of their own; for tests. */
  readonly wrong?: { readonly rate: number; readonly burst: number }
}

const NEVER_SEEN = Buffer.alloc(32)

export class TokenGate implements Gate {
  readonly #env: Env
  readonly #rate: number
  readonly #wrong: { readonly rate: number; readonly burst: number }
  #tokens: ReadonlyMap<string, TokenHolder> | undefined
  readonly #addresses = new Map<string, { readonly rate: Allowance; readonly wrong: Allowance }>()

  constructor({ env, tokens, rate, wrong = wrongTokens }: GateParts) {
    this.#env = env
    this.#rate = rate
    this.#wrong = wrong
    if (tokens !== undefined) this.replace(tokens)
  }

  /** From now on these tokens are the ones. Who goes on with one keeps what it has used up. */
  replace(tokens: readonly TokenRecord[]): void {
    const before = this.#tokens
    this.#tokens = new Map(
      tokens.map((record) => {
        const rate = record.rate ?? this.#rate
        return [
          record.id,
          new TokenHolder(this.#env, { record, rate, before: before?.get(record.id) }),
        ]
      }),
    )
  }

  admit(claim: Claim, access: Exclude<Access, 'open'>): Caller | ShoalError {
    if (this.#tokens === undefined) return this.#admitAddress(claim)
    const holder = this.#holderOf(claim.authorization)
    if (holder instanceof TokenHolder) {
      const wait = holder.spend(1)
      if (wait > 0) return limited(`too many requests of token ${holder.name}`, wait)
      if (access === 'token' || holder.may(access)) return holder
      return lacks(holder, access)
    }
    const wait = this.#placeOf(claim.address).wrong.take(1, this.#env.clock.elapsed())
    if (wait > 0) return limited('too many requests without a valid token from this address', wait)
    return new ShoalError('SHOAL_UNAUTHENTICATED', holder)
  }

  #admitAddress({ address }: Claim): Caller | ShoalError {
    if (this.#rate === 0) return anyone
    const { clock } = this.#env
    const { rate } = this.#placeOf(address)
    const wait = rate.take(1, clock.elapsed())
    if (wait > 0) return limited('too many requests from this address', wait)
    return { ...anyone, spend: (operations) => rate.take(operations, clock.elapsed()) }
  }

  /** @returns why there is none, in words that quote nothing of what was presented */
  #holderOf(authorization: string | undefined): TokenHolder | string {
    if (authorization === undefined) return 'no Authorization header came with the request'
    const presented = /^Bearer +(\S+)$/i.exec(authorization)?.[1]
    if (presented === undefined) return 'the Authorization header is not Bearer and a token'
    const id = idOf(presented)
    const holder = id === undefined ? undefined : this.#tokens?.get(id)
    // The same work for an id that exists and one that does not.
    const isRight = isSame(digestOf(presented), holder?.record.digest ?? NEVER_SEEN)
    if (holder === undefined || !isRight) return 'the token is not one of this cluster'
    const { expires } = holder.record
    if (expires !== undefined && expires <= this.#env.clock.wall()) return 'the token has expired'
    return holder
  }

  #placeOf(address: string): { readonly rate: Allowance; readonly wrong: Allowance } {
    const client = clientOf(address)
    const known = this.#addresses.get(client)
    if (known !== undefined) return known
    const now = this.#env.clock.elapsed()
    const place = {
      rate: new Allowance(evenly(this.#rate || 1), now),
      wrong: new Allowance(this.#wrong, now),
    }
    if (this.#addresses.size >= limits.rateAddressesMax) {
      const [oldest = ''] = this.#addresses.keys()
      this.#addresses.delete(oldest)
    }
    this.#addresses.set(client, place)
    return place
  }
}

/** 20 at once, then one a second; the others get 429. */
const wrongTokens = { rate: 1, burst: 20 }

/** A second's worth may come at once. */
const evenly = (rate: number) => ({ rate, burst: Math.max(rate, 1) })

export const limited = (message: string, waitMs: number): ShoalError =>
  new ShoalError('SHOAL_RATE_LIMITED', message, { retryAfterMs: waitMs })

export const lacks = ({ name }: Caller, scope: Scope): ShoalError =>
  new ShoalError('SHOAL_FORBIDDEN', `the token ${name} has not the scope ${scope}`, {
    wanted: scope,
  })

class TokenHolder implements Caller {
  readonly record: TokenRecord
  readonly name: string
  readonly #env: Env
  readonly #rate: number
  readonly #allowance: Allowance | undefined

  constructor(
    env: Env,
    parts: { record: TokenRecord; rate: number; before: TokenHolder | undefined },
  ) {
    const { record, rate, before } = parts
    this.#env = env
    this.#rate = rate
    this.record = record
    this.name = `${record.name} (${record.id})`
    this.#allowance = this.#begin(before)
  }

  #begin(before: TokenHolder | undefined): Allowance | undefined {
    if (this.#rate === 0) return undefined
    if (before !== undefined && before.#rate === this.#rate) return before.#allowance
    return new Allowance(evenly(this.#rate), this.#env.clock.elapsed())
  }

  may(scope: Scope): boolean {
    return this.record.scopes.includes(scope)
  }

  mayUse(bucket: string): boolean {
    return covers(this.record.buckets, bucket)
  }

  get mayUseAll(): boolean {
    return this.record.buckets.includes('*')
  }

  spend(operations: number): number {
    return this.#allowance?.take(operations, this.#env.clock.elapsed()) ?? 0
  }
}
