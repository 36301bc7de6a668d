/**
 * Runs a batch: a reader that begins operations and a writer that tells their results, in the order
 * sent, with a bounded window between them. Neither waits for the other beyond that window, so a
 * client may send an operation, wait for its result and then send the next.
 */
import type { ServerResponse } from 'node:http'
import type {
  Done,
  ReadAnswer,
  ReadRequest,
  RequestReport,
  WriteAnswer,
  WriteRequest,
} from '@shoal/coordinator'
import { InvariantViolation, millis, ShoalError } from '@shoal/kernel'
import { demandBucket, demandScope, spend } from '../access.ts'
import type { Exchange } from '../exchange.ts'
import type { BatchResult } from '../schemas/batch.ts'
import {
  type BatchDefaults,
  failureResult,
  isWrite,
  readOperation,
  readResult,
  writeResult,
} from './operation.ts'
import type { Entry, Source } from './source.ts'
import { type Slot, Window } from './window.ts'

/** What stands around and between the results. */
export interface Frame {
  readonly before: string
  readonly between: string
  readonly after: string
}

export const jsonFrame: Frame = { before: '{"results":[', between: ',', after: ']}' }
export const lineFrame: Frame = { before: '', between: '\n', after: '\n' }

const WRITE_BYTES = 65_536

export interface BatchRun {
  readonly exchange: Exchange
  readonly source: Source
  readonly defaults: BatchDefaults
  readonly frame: Frame
}

/** Resolves when the last result has been handed over, or the client has gone. */
export async function runBatch(run: BatchRun): Promise<void> {
  const { exchange } = run
  const { batchParallelMax, batchBytesInFlightMax } = exchange.services.limits
  const window = new Window({ slotsMax: batchParallelMax, bytesMax: batchBytesInFlightMax })
  const gone = (): void => window.end()
  exchange.response.once('close', gone)
  try {
    const [unread, told] = await Promise.all([readAll(run, window), writeAll(run, window)])
    exchange.finish(told ? run.frame.after : '')
    if (unread) closeUnread(exchange)
  } finally {
    exchange.response.off('close', gone)
  }
}

/** @returns whether a part of the body was left unread */
async function readAll({ exchange, source, defaults }: BatchRun, window: Window): Promise<boolean> {
  try {
    for (let index = 0; await window.room(); index++) {
      const entry = await source.next()
      if (entry === undefined) return false
      const slot = window.open(entry.bytes)
      begin({ exchange, entry, index, defaults }, (result) => {
        exchange.services.metrics.recordBatchItem(result.status)
        window.settle(slot, JSON.stringify(result))
      })
    }
    return true
  } catch (error) {
    const slot = window.open(0)
    settleFailure({ exchange, window, slot }, error)
    return true
  } finally {
    window.end()
  }
}

function settleFailure(
  { exchange, window, slot }: { exchange: Exchange; window: Window; slot: Slot },
  error: unknown,
): void {
  window.settle(slot, JSON.stringify(failureResult(asShoalError(exchange, error))))
}

interface Beginning {
  readonly exchange: Exchange
  readonly entry: Entry
  readonly index: number
  readonly defaults: BatchDefaults
}

/** Starts one operation; `done` is called once. */
function begin(
  { exchange, entry, index, defaults }: Beginning,
  done: (result: BatchResult) => void,
): void {
  const { services, caller } = exchange
  try {
    const name = `operations[${index}]`
    if (entry.fault !== undefined) throw entry.fault
    const asked = readOperation(entry.item, name, defaults)
    const follower = exchange.span
    const request = follower === undefined ? asked : { ...asked, follower }
    demandScope(caller, isWrite(request) ? 'write' : 'read')
    demandBucket(caller, request.bucket)
    // The batch itself was the first.
    if (index > 0) spend(caller, 1)
    const refused = services.refusal(isWrite(request) ? 'write' : 'read')
    if (refused !== undefined) throw refused
    const item = { exchange, request, done }
    if (isWrite(request)) services.keyValue.write(request, tell(item, writeResult))
    else services.keyValue.read(request, tell(item, readResult))
  } catch (error) {
    done(failureResult(asShoalError(exchange, error)))
  }
}

interface Item {
  readonly exchange: Exchange
  readonly request: ReadRequest | WriteRequest
  readonly done: (result: BatchResult) => void
}

const tell =
  <Answer extends ReadAnswer | WriteAnswer>(
    item: Item,
    toResult: (answer: Answer) => BatchResult,
  ): Done<Answer> =>
  (answer, report) => {
    const result = answer instanceof ShoalError ? failureResult(answer) : toResult(answer)
    item.done(result)
    if (report) noteSlow(item, { report, outcome: outcomeOf(answer, result) })
  }

const outcomeOf = (answer: object, { status }: BatchResult): number | string =>
  answer instanceof ShoalError ? answer.code : status

function noteSlow(
  { exchange, request }: Item,
  { report, outcome }: { readonly report: RequestReport; readonly outcome: number | string },
): void {
  const { slow, env } = exchange.services
  if (slow === undefined) return
  const ms = env.clock.elapsed() - report.began
  if (!slow.isSlow(ms)) return
  const { bucket } = request
  const operation = isWrite(request) ? request.operation : 'get'
  const { id: requestId, traceId } = exchange
  slow.note({ operation, ms, bucket, requestId, traceId, outcome, report })
}

function asShoalError(exchange: Exchange, error: unknown): ShoalError {
  if (error instanceof ShoalError) return error
  const { log, env } = exchange.services
  log.error({ err: error, requestId: exchange.id }, 'an operation of a batch failed by a bug')
  if (error instanceof InvariantViolation) env.halt(error)
  return new ShoalError(
    'SHOAL_INTERNAL',
    `unexpected failure; look for ${exchange.id} in the log`,
    {
      extra: { errorId: exchange.id },
      cause: error,
    },
  )
}

/** @returns whether there was anything to tell */
async function writeAll({ exchange, frame }: BatchRun, window: Window): Promise<boolean> {
  let lead = frame.before
  for (let told = false; ; told = true) {
    const results = await window.take(WRITE_BYTES)
    if (results === undefined) return told
    await send(exchange, lead + results.join(frame.between))
    lead = frame.between
  }
}

/** Hands text to the socket and waits until the client has taken enough of it. */
async function send({ response, services }: Exchange, text: string): Promise<void> {
  if (response.destroyed || response.write(text)) return
  const stalled = services.env.clock.after(millis(services.limits.bodyTimeoutMs), () =>
    response.destroy(),
  )
  await takenOrGone(response)
  stalled.cancel()
}

const takenOrGone = (response: ServerResponse): Promise<void> =>
  new Promise((resolve) => {
    const settle = (): void => {
      response.off('drain', settle)
      response.off('close', settle)
      resolve()
    }
    response.on('drain', settle)
    response.on('close', settle)
  })

/** A client that goes on sending after the last result is heard out for a while, then cut off. */
function closeUnread({ request, services }: Exchange): void {
  if (request.complete || request.destroyed) return
  const timer = services.env.clock.after(millis(services.limits.lingerMs), () => request.destroy())
  request.once('close', () => timer.cancel())
  request.resume()
}
