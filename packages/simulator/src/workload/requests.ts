import type { ListRequest, Precondition, ReadRequest, WriteRequest } from '@shoal/coordinator'
import { millis } from '@shoal/kernel'
import type { ClientRequest } from '../cluster/sim-cluster.ts'
import type { OperationPlan } from '../plan/plan.ts'
import { bodyOf } from './body.ts'
import type { ClientMemory } from './client-memory.ts'

export const placeOf = ({ bucket, key }: { bucket: string; key: string }): string =>
  `${bucket}\0${key}`

export function readRequest(operation: OperationPlan, memory: ClientMemory): ClientRequest {
  return { kind: 'read', request: keyRequest(operation, memory) }
}

/**
 * @param context  what the client read just before, where the plan says that it reads first
 */
export function writeRequest(
  operation: OperationPlan,
  memory: ClientMemory,
  context: string,
): ClientRequest {
  const isPut = operation.kind === 'put'
  const condition = preconditionOf(operation, memory)
  const request: WriteRequest = {
    ...keyRequest(operation, memory),
    operation: isPut ? 'put' : 'delete',
    context,
    idempotencyKey: operation.id,
    ...(condition ? { precondition: condition } : {}),
    body: isPut ? bodyOf(operation.id, operation.bytes ?? 0) : Buffer.alloc(0),
    contentType: isPut ? 'text/plain' : '',
    contentEncoding: '',
    ttl: isPut ? (operation.ttl ?? 0) : 0,
  }
  return { kind: 'write', request }
}

export function listRequest(operation: OperationPlan, after: string): ClientRequest {
  const { bucket, key, limit = 100, timeout, consistency } = operation
  const request: ListRequest = {
    bucket,
    prefix: key,
    after,
    limit,
    ...(consistency ? { consistency } : {}),
    timeout: millis(timeout),
  }
  return { kind: 'list', request }
}

function keyRequest(operation: OperationPlan, memory: ClientMemory): ReadRequest {
  const { bucket, key, consistency, session, timeout, id } = operation
  return {
    bucket,
    key,
    ...(consistency ? { consistency } : {}),
    session: session ? memory.session : '',
    timeout: millis(timeout),
    explain: isExplained(id),
  }
}

/** A few requests ask for a trace, so that traces run under faults too. */
const isExplained = (id: string): boolean => id.endsWith('77')

/** The context that a write names, for every choice but `read`. */
export function contextFor(operation: OperationPlan, memory: ClientMemory): string {
  const place = placeOf(operation)
  switch (operation.context) {
    case 'latest':
      return memory.latest(place)
    case 'stale':
      return memory.first(place)
    case 'foreign':
      return memory.foreign(place)
    case 'corrupt':
      return corrupted(memory.latest(place))
    default:
      return ''
  }
}

/** One character replaced by another, somewhere behind the prefix. */
function corrupted(token: string): string {
  if (token.length < 4) return 'c1.AAAA'
  const at = 3 + ((token.length * 7) % (token.length - 3))
  return `${token.slice(0, at)}${token[at] === 'A' ? 'B' : 'A'}${token.slice(at + 1)}`
}

function preconditionOf(operation: OperationPlan, memory: ClientMemory): Precondition | undefined {
  const etag = memory.etag(placeOf(operation))
  switch (operation.condition) {
    case 'absent':
      return { ifNoneMatch: ['*'] }
    case 'present':
      return { ifMatch: ['*'] }
    case 'unchanged':
      return { ifMatch: [etag === '' ? '*' : etag] }
    default:
      return undefined
  }
}
