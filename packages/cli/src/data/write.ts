import { randomUUID } from 'node:crypto'
import type { Client, Receipt, WriteOptions, Written } from '@shoal/client'
import { withClient } from '../cluster/connection.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { describeFailure, WriteInDoubt } from '../failure.ts'
import type { Io } from '../terminal.ts'
import { type Target, writtenToJson } from './answers.ts'
import { type WritingOptions, writeOptions } from './options.ts'
import { type Traced, traced, traceLines } from './trace.ts'

export interface WriteCommand {
  readonly kind: 'put' | 'delete'
  readonly target: Target
  readonly options: WritingOptions
  readonly send: (client: Client, options: WriteOptions) => Promise<Written>
}

/**
 * Makes one write under an idempotency key that is shown when the outcome is unknown, so that it
 * can be repeated.
 */
export async function runWrite(io: Io, command: WriteCommand): Promise<ExitCode> {
  const { options, send } = command
  const idempotencyKey = options.idempotencyKey ?? randomUUID()
  const seen = options.blind ? undefined : io.contexts?.of(command.target)
  const context = options.context ?? seen
  const wanted = { ...writeOptions(options), context, idempotencyKey }
  try {
    const written = await withClient(options, (client) => traced(client, send(client, wanted)))
    io.contexts?.keep(command.target, written.answer.context)
    showWritten(io, command, written)
    return exitCodes.done
  } catch (error) {
    if (describeFailure(error).exit !== exitCodes.unknownOutcome) throw error
    throw new WriteInDoubt(error, idempotencyKey)
  }
}

/** What stood behind the write, and the context for the next. Standard output stays empty. */
function showWritten(
  { out, err }: Io,
  { kind, target, options }: WriteCommand,
  { answer, trace }: Traced<Written>,
): void {
  if (options.json) return out.json({ ...writtenToJson(kind, target, answer), trace })
  err.lines(traceLines(trace, err.paint))
  if (options.quiet) return
  const { receipt, context } = answer
  if (receipt !== undefined) err.line(describeReceipt(kind, receipt))
  if (context !== '') err.line(err.paint.dim(`context ${context}`))
}

/** `written to 2 of 3 replicas, 2 on disk, by n1`, and what was not as it should be. */
export function describeReceipt(kind: 'put' | 'delete', receipt: Receipt): string {
  const { n, ack, fallbacks, durable, hinted, node } = receipt
  const done = kind === 'put' ? 'written to' : 'deleted on'
  return [
    `${done} ${ack} of ${n} replicas`,
    ...(durable === undefined ? [] : [`${durable} on disk`]),
    ...(fallbacks > 0 ? [`${fallbacks} of them stand-ins`] : []),
    ...(hinted > 0 ? [`${hinted} owed a hint`] : []),
    ...(node === '' ? [] : [`by ${node}`]),
  ].join(', ')
}
