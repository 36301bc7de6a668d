import type { WriteRequest } from '@shoal/coordinator'
import type { PutOperation, Written } from '@shoal/replica'
import type { SimNode } from '../cluster/sim-cluster.ts'
import type { OperationRecord } from './minted.ts'
import type { Key } from './world.ts'

/** A write as its replica tells of it. */
export interface MintedWrite {
  readonly node: SimNode
  readonly key: Key
  /** The client's operation; undefined for a write of the system itself. */
  readonly record: OperationRecord | undefined
  readonly operation: PutOperation
  readonly result: Written
  readonly fail: (invariant: string, text: string) => void
}

/** What a client asked for, in its first attempt. */
export function writeOf({ first }: OperationRecord): WriteRequest | undefined {
  const { request } = first
  return request.kind === 'write' ? request.request : undefined
}
