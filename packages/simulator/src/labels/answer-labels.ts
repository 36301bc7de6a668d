import { HEADER_BYTES, indexOfRequest, isExpired, isTombstone, liveAt } from '@shoal/causality'
import type { KeyRequest, ReadAnswer, WriteAnswer, WriteRequest } from '@shoal/coordinator'
import type { ErrorCode, ShoalError } from '@shoal/kernel'
import { hash64, makeRowKey, rowKeyName } from '@shoal/ring'
import { decodeStoredVersion } from '@shoal/storage'
import type { InvokedOperation } from '../check/observer.ts'
import type { ClientEnd, SimNode } from '../cluster/sim-cluster.ts'
import { idOfBody } from '../workload/body.ts'
import type { Label } from './labels.ts'

export type Reach = (label: Label) => void

/** What the end of a request shows. Cheap: it runs for each of them. */
export function labelEnd(
  node: SimNode,
  { request }: InvokedOperation,
  end: ClientEnd,
  reach: Reach,
) {
  if (end.kind === 'refused') return labelRefusal(node, request.kind, end.error, reach)
  if (end.kind !== 'answer') return
  if (request.kind === 'read') labelRead(node, request.request, end.answer as ReadAnswer, reach)
  if (request.kind === 'write') labelWrite(request.request, end.answer as WriteAnswer, reach)
}

function labelRead(node: SimNode, request: KeyRequest, answer: ReadAnswer, reach: Reach): void {
  const { values, receipt, consistency, context } = answer
  if (values.length > 1) labelSiblings(values, reach)
  if (values.length === 0) labelNothing(node, request, context, reach)
  if (consistency.r < consistency.n && consistency.r === 1) {
    reach('an answer at one of several replicas')
  }
  if (receipt.repaired > 0) {
    reach(
      consistency.strict
        ? 'a strict read wrote back before its answer'
        : 'a read repaired a replica afterwards',
    )
    if (consistency.level === 'all') reach('a read of all replicas met one behind')
  }
  if (request.session !== '' && receipt.ack > receipt.need) {
    reach('a read asked more for its session')
  }
}

function labelSiblings(values: ReadAnswer['values'], reach: Reach): void {
  reach('a read showed siblings')
  if (values.length >= MANY) reach('a read showed ten siblings or more')
  const writers = new Set(values.map(({ body }) => idOfBody(body)))
  if (writers.size < values.length) reach('one request stands twice beside itself')
}

const MANY = 10
/** A token without a single event in it. */
const EMPTY_CONTEXT_CHARS = 24

function labelNothing(node: SimNode, request: KeyRequest, context: string, reach: Reach): void {
  if (context.length <= EMPTY_CONTEXT_CHARS) return reach('a read of a key never written')
  const version = versionOf(node, makeRowKey(request.bucket, request.key))
  if (!version) return
  const now = node.coordinator?.desk.env.clock.wall() ?? 0
  for (let header = liveAt(version); header < version.length; header += HEADER_BYTES) {
    if (isTombstone(version, header)) reach('a read showed a deleted key with its context')
    else if (isExpired(version, header, now)) reach('a read hid an expired value')
  }
}

/** From the disk: to ask the node would change what it keeps in memory. */
function versionOf({ disk }: SimNode, rowKey: Buffer): Buffer | undefined {
  const record = disk.current('versions', rowKeyName(rowKey))
  return record && decodeStoredVersion(record, rowKey.readBigUInt64BE(0))
}

function labelWrite(request: WriteRequest, answer: WriteAnswer, reach: Reach): void {
  const { siblings, receipt } = answer
  if (siblings > 1) reach('a write left siblings')
  if (siblings === 1 && request.context !== '') reach('a write dropped all siblings')
  if (receipt.durable === 0) reach('a write acknowledged before it was on any disk')
}

const REFUSALS: Readonly<Partial<Record<ErrorCode, Label>>> = {
  SHOAL_SIBLINGS_FULL: 'refused: siblings full',
  SHOAL_CONTEXT_FOREIGN: 'refused: context of another key',
  SHOAL_CONTEXT_INVALID: 'refused: damaged context',
  SHOAL_CONTEXT_REQUIRED: 'refused: blind write',
  SHOAL_PRECONDITION_FAILED: 'refused: precondition',
  SHOAL_SESSION_UNSATISFIED: 'refused: session unsatisfied',
  SHOAL_QUORUM_UNREACHABLE: 'refused: too few reachable',
  SHOAL_QUORUM_TIMEOUT: 'refused: deadline',
  SHOAL_QUORUM_UNMET: 'refused: too few answers',
  SHOAL_DATA_DAMAGED: 'refused: damaged data',
  SHOAL_OVERLOADED: 'refused: overload',
  SHOAL_STORAGE_FULL: 'refused: disk full',
  SHOAL_CONSISTENCY_INVALID: 'refused: consistency out of range',
}

function labelRefusal(
  node: SimNode,
  kind: 'read' | 'write' | 'list',
  error: ShoalError,
  reach: Reach,
): void {
  const label = REFUSALS[error.code]
  if (label) reach(label)
  if (error.code === 'SHOAL_QUORUM_TIMEOUT' && /was passed to/.test(error.message)) {
    reach('a passed write ended unknown')
  }
  if (kind === 'read' && node.state === 'up') reach('a read failed while its node was up')
}

/** Whether the node about to be asked again already knows the request, and from where. */
export function labelRepeat(node: SimNode, request: WriteRequest, reach: Reach): void {
  const { replica } = node
  if (!replica) return
  const rowKey = makeRowKey(request.bucket, request.key)
  const hash = Buffer.allocUnsafe(8)
  const key = Buffer.from(request.idempotencyKey, 'latin1')
  hash.writeBigUInt64BE(hash64(key, rowKey.readBigUInt64BE(0)))
  const version = versionOf(node, rowKey)
  const standsInRow = version !== undefined && indexOfRequest(version, hash, 0) >= 0
  if (replica.remembers(hash)) {
    reach('a repeated request was remembered')
    if (!standsInRow) reach('a repeated request found a newer value in its place')
  } else if (standsInRow) {
    reach('a repeated request was found in the row')
  }
}
