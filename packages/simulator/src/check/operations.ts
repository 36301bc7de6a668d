import type { ShoalError } from '@shoal/kernel'
import { hash64 } from '@shoal/ring'
import type { ClientEnd } from '../cluster/sim-cluster.ts'
import type { Findings } from './findings.ts'
import { describe, type Minted, type OperationRecord } from './minted.ts'
import type { InvokedOperation } from './observer.ts'

/** Client operations by their id, and by the hash of it that a live header carries. */
export class Operations {
  readonly #byId = new Map<string, OperationRecord>()
  readonly #byRequest = new Map<string, OperationRecord>()
  readonly #findings: Findings
  readonly #questionsRepeat: boolean

  /**
   * @param questionsRepeat  the network delivers some questions twice, which the real one never
   *   does. Of a write that was passed on the second delivery may then be refused, and its answer
   *   come first
   */
  constructor(findings: Findings, questionsRepeat: boolean) {
    this.#findings = findings
    this.#questionsRepeat = questionsRepeat
  }

  /** @param token  of the key; undefined for what is no write */
  invoked(operation: InvokedOperation, token: bigint | undefined): void {
    const { request } = operation
    if (request.kind !== 'write' || token === undefined) return
    const { idempotencyKey } = request.request
    let record = this.#byId.get(operation.id)
    if (!record) {
      const hash = idempotencyKey === '' ? NO_REQUEST : requestHash(idempotencyKey, token)
      record = {
        id: operation.id,
        first: operation,
        requestHash: hash,
        begun: 0,
        taken: 0,
        open: 0,
        possible: false,
        asked: new Set(),
        vain: new Set(),
        takenBy: new Set(),
        repeated: false,
        events: [],
      }
      this.#byId.set(operation.id, record)
      if (idempotencyKey !== '') this.#byRequest.set(hash, record)
    }
    record.begun++
    record.open++
    record.asked.add(operation.node)
  }

  /** V4, Q9: an attempt is taken by the node asked, and by one more if that passes it on. */
  taken(idempotencyKey: string, { node, inVain }: { node: number; inVain: boolean }): void {
    const record = this.#byId.get(idempotencyKey)
    if (!record) return
    noteReach(record, { node, inVain })
    if (this.#questionsRepeat) return
    record.taken++
    if (record.taken <= 2 * record.begun) return
    const text = `${record.id} was sent ${record.begun} times and taken ${record.taken} times`
    this.#findings.add('Q9', text)
  }

  ended(operation: InvokedOperation, end: ClientEnd): void {
    const record = this.#byId.get(operation.id)
    if (!record) return
    record.open--
    if (!isNotApplied(end)) record.possible = true
    const [event] = record.events
    if (event) this.#checkPossible(record, event)
  }

  byId(id: string): OperationRecord | undefined {
    return this.#byId.get(id)
  }

  /** @param request  latin-1 text of 8 bytes */
  byRequest(request: string): OperationRecord | undefined {
    return this.#byRequest.get(request)
  }

  minted(record: OperationRecord, event: Minted): void {
    record.events.push(event)
    this.#checkPossible(record, event)
  }

  /** A write whose every attempt was refused as not applied exists nowhere, now and later. */
  #checkPossible(record: OperationRecord, event: Minted): void {
    this.#findings.checked('not-applied writes are not applied')
    if (record.open > 0 || record.possible) return
    // Passed on twice, it may be refused once and done once.
    const { asked } = record
    if (this.#questionsRepeat && (asked.size > 1 || !asked.has(event.node))) return
    this.#findings.add(
      'Q7',
      `${describe(event)} exists, and every attempt of ${record.id} was refused as not applied`,
    )
  }
}

const NO_REQUEST = '\0'.repeat(8)

function isNotApplied(end: ClientEnd): boolean {
  if (end.kind === 'unsent') return true
  return end.kind === 'refused' && outcomeOf(end.error) === 'not-applied'
}

export const outcomeOf = (error: ShoalError): 'not-applied' | 'unknown' => error.outcome

/** The 8 bytes by which a live header knows its request, as latin-1 text. */
export function requestHash(idempotencyKey: string, token: bigint): string {
  const hash = Buffer.allocUnsafe(8)
  hash.writeBigUInt64BE(hash64(Buffer.from(idempotencyKey, 'latin1'), token))
  return hash.toString('latin1')
}

/** Of two attempts at one node the one that could reach others may be the one that writes. */
function noteReach(
  { vain, takenBy }: OperationRecord,
  { node, inVain }: { node: number; inVain: boolean },
): void {
  if (!inVain) vain.delete(node)
  else if (!takenBy.has(node)) vain.add(node)
  takenBy.add(node)
}
