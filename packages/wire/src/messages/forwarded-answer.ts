import { type Millis, millis, type NodeId, nodeId, ShoalError } from '@shoal/kernel'
import { ByteReader, ByteWriter } from '../bytes.ts'
import { consistencyLevels } from '../headers.ts'
import { readProblem, writeProblem } from './problem.ts'

/** The answer to a forwarded write: what the coordinator would have told the client itself. */
export interface ForwardedAnswer {
  readonly context: string
  readonly session: string
  readonly consistency: {
    readonly level: (typeof consistencyLevels)[number]
    readonly n: number
    readonly r: number
    readonly w: number
    readonly durable: number
    readonly strict: boolean
  }
  readonly receipt: {
    readonly n: number
    readonly need: number
    readonly ack: number
    readonly primaries: number
    readonly fallbacks: number
    readonly durable?: number
    readonly hinted: number
    readonly repaired: number
    readonly epoch: number
    readonly node: NodeId
    readonly precondition?: 'checked' | 'atomic'
  }
  readonly traceId?: string
  readonly etag: string
  readonly modified: Millis
  readonly siblings: number
}

const preconditions = ['checked', 'atomic'] as const

export function encodeForwardedAnswer(result: ForwardedAnswer | ShoalError): Buffer {
  const writer = new ByteWriter(512)
  if (result instanceof ShoalError) return writeProblem(writer.flag(false), result).finish()
  writer.flag(true).text(result.context).text(result.session)
  writeConsistency(writer, result.consistency)
  writeReceipt(writer, result.receipt)
  writer.optional(result.traceId, (id) => writer.text(id))
  writer.text(result.etag).f64(result.modified).u32(result.siblings)
  return writer.finish()
}

/** @throws SHOAL_FRAME_INVALID; an error that the coordinator answered with is returned */
export function decodeForwardedAnswer(body: Buffer): ForwardedAnswer | ShoalError {
  const reader = new ByteReader(body)
  const answer = reader.flag() ? readAnswer(reader) : readProblem(reader)
  reader.end()
  return answer
}

function readAnswer(reader: ByteReader): ForwardedAnswer {
  const [context, session] = [reader.text(), reader.text()]
  const [consistency, receipt] = [readConsistency(reader), readReceipt(reader)]
  const traceId = reader.optional(() => reader.text())
  return {
    context,
    session,
    consistency,
    receipt,
    ...(traceId === undefined ? {} : { traceId }),
    etag: reader.text(),
    modified: millis(reader.f64()),
    siblings: reader.u32(),
  }
}

type Effective = ForwardedAnswer['consistency']

function writeConsistency(
  writer: ByteWriter,
  { level, n, r, w, durable, strict }: Effective,
): void {
  writer.choice(consistencyLevels, level).u8(n).u8(r).u8(w).u8(durable).flag(strict)
}

const readConsistency = (reader: ByteReader): Effective => ({
  level: reader.choice(consistencyLevels),
  n: reader.u8(),
  r: reader.u8(),
  w: reader.u8(),
  durable: reader.u8(),
  strict: reader.flag(),
})

type Receipt = ForwardedAnswer['receipt']

function writeReceipt(writer: ByteWriter, receipt: Receipt): void {
  writer.u8(receipt.n).u8(receipt.need).u8(receipt.ack).u8(receipt.primaries).u8(receipt.fallbacks)
  writer.optional(receipt.durable, (count) => writer.u8(count))
  writer.u8(receipt.hinted).u8(receipt.repaired).u32(receipt.epoch).name(receipt.node)
  writer.optional(receipt.precondition, (value) => writer.choice(preconditions, value))
}

function readReceipt(reader: ByteReader): Receipt {
  const [n, need, ack] = [reader.u8(), reader.u8(), reader.u8()]
  const [primaries, fallbacks] = [reader.u8(), reader.u8()]
  const durable = reader.optional(() => reader.u8())
  const [hinted, repaired, epoch] = [reader.u8(), reader.u8(), reader.u32()]
  const node = nodeId(reader.text())
  const precondition = reader.optional(() => reader.choice(preconditions))
  return {
    n,
    need,
    ack,
    primaries,
    fallbacks,
    ...(durable === undefined ? {} : { durable }),
    hinted,
    repaired,
    epoch,
    node,
    ...(precondition === undefined ? {} : { precondition }),
  }
}
