import type { ShoalError } from '@shoal/kernel'
import { hash64 } from '@shoal/ring'
import type { ClientEnd } from '../cluster/sim-cluster.ts'
import type { Findings } from './findings.ts'
import { describe, type Minted } from './history.ts'
import type { InvokedOperation } from './observer.ts'

/** A client's write over all its attempts. */
export interface OperationRecord {
  readonly id: string
  /** The first attempt. The others differ in node, context and time at most. */
  readonly first: InvokedOperation
  /** By which a live header knows it: latin-1 text of 8 bytes, zeros for none. */
  readonly requestHash: string
  /** Attempts under way. */
  open: number
  /** An attempt was acknowledged, or its end said nothing: the write may exist, or come to. */
  possible: boolean
  /** Nodes that were asked. */
  readonly asked: Set<number>
  /** A coordinator recognised it, and answered without writing again. */
  repeated: boolean
  readonly events: Minted[]
}

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
        open: 0,
        possible: false,
        asked: new Set(),
        repeated: false,
        events: [],
      }
      this.#byId.set(operation.id, record)
      if (idempotencyKey !== '') this.#byRequest.set(hash, record)
    }
    record.open++
    record.asked.add(operation.node)
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
