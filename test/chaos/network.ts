/** What lies between the nodes, and can be cut there. Clients reach every node at all times. */
import type { Link, NetworkKind } from './plan.ts'

export interface Address {
  readonly id: string
  /** Where clients reach it. */
  readonly url: string
}

export interface Network {
  readonly kind: NetworkKind
  readonly addresses: readonly Address[]
  /** The value of `--peers` for the node in this place. */
  peersFor(place: number): string
  /** Further parameters of `shoal start`. */
  readonly parameters: readonly string[]
  /** What a node's process is started through. */
  runnerFor(place: number): readonly string[]
  /** From now on nothing gets through, and neither end is told. */
  cut(links: readonly Link[]): void
  mend(links: readonly Link[]): void
  /** Everything on these links arrives so much later. */
  slow(links: readonly Link[], delayMs: number): void
  /** Ends the connections between these nodes in the middle of whatever they carry. */
  reset(links: readonly Link[]): void
  close(): void
}

export const idOf = (place: number): string => `n${place + 1}`
