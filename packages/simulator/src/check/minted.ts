import type { Bits } from './bits.ts'
import { type Header, hexOf } from './decode.ts'
import type { InvokedOperation } from './observer.ts'

/** A write that a replica coordinated: its dot, and what its author had truly seen. */
export interface Minted {
  /** Writes of one key are numbered in the order in which they were minted. */
  readonly index: number
  readonly header: Header
  /** Where it was minted, in which process, when. */
  readonly node: number
  readonly life: number
  readonly at: number
  /** The client's operation; undefined for a write of the system itself. */
  readonly operation: OperationRecord | undefined
  /** Every write that its author had seen: with them, every write those had seen. */
  readonly past: Bits
  /** The past and the write itself. */
  readonly history: Bits
  /** Its value block as it was first seen on a disk, a copy (V1). */
  block: Buffer | undefined
  /** When a client was first told that it is done, and the nodes that had it on disk then. */
  acknowledged: { readonly at: number; readonly holders: readonly number[] } | undefined
}

/** A client's write over all its attempts. */
export interface OperationRecord {
  readonly id: string
  /** The first attempt. The others differ in node, context and time at most. */
  readonly first: InvokedOperation
  /** By which a live header knows it: latin-1 text of 8 bytes, zeros for none. */
  readonly requestHash: string
  /** Attempts so far, and how often a coordinator has taken one. */
  begun: number
  taken: number
  /** Attempts under way. */
  open: number
  /** An attempt was acknowledged, or its end said nothing: the write may exist, or come to. */
  possible: boolean
  /** Nodes that were asked. */
  readonly asked: Set<number>
  /** Nodes that were each time connected to nobody when they took it, and had to reach others. */
  readonly vain: Set<number>
  /** Nodes whose coordinator has taken an attempt. */
  readonly takenBy: Set<number>
  /** A coordinator recognised it, and answered without writing again. */
  repeated: boolean
  readonly events: Minted[]
}

export const dotName = (actor: number, counter: number): string => `${hexOf(actor)}:${counter}`

export const nameOf = ({ header }: Minted): string => dotName(header.actor, header.counter)

/** A write for people: its dot, its operation, where and when it was minted. */
export function describe(event: Minted): string {
  const { operation, node, at, header } = event
  const what = header.tombstone ? 'delete' : 'write'
  const where = `node ${node}, at ${Math.round(at)}`
  return `${what} ${nameOf(event)} (${operation?.id ?? 'system'}, ${where})`
}
