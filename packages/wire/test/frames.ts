import { FrameDecoder, type FrameHandler, FrameWriter, frameTypes } from '../src/index.ts'

/** What a frame says, with the body as text so that results compare by value. */
export interface Seen {
  readonly type: number
  readonly kind: number
  readonly id: number
  readonly epoch?: number
  readonly timeout?: number
  /** Of a traced question. */
  readonly trace?: string
  readonly body: string
}

export interface Collector extends FrameHandler {
  readonly seen: Seen[]
  readonly bodies: Buffer[]
}

export function collector(): Collector {
  const seen: Seen[] = []
  const bodies: Buffer[] = []
  return {
    seen,
    bodies,
    onFrame: (type, kind, id, body) => {
      seen.push({ type, kind, id, body: body.toString('latin1') })
      bodies.push(body)
    },
    onQuestion: (kind, id, epoch, timeout, body, trace) => {
      const type = trace === undefined ? frameTypes.question : frameTypes.tracedQuestion
      const carried = trace === undefined ? {} : { trace: trace.toString('latin1') }
      seen.push({ type, kind, id, epoch, timeout, ...carried, body: body.toString('latin1') })
      bodies.push(body)
    },
  }
}

export function encode(frames: readonly Seen[]): Buffer {
  const writer = new FrameWriter()
  for (const { type, kind, id, epoch = 0, timeout = 0, trace = '', body } of frames) {
    const bytes = Buffer.from(body, 'latin1')
    if (type === frameTypes.question) writer.question(kind, id, epoch, timeout, bytes)
    else if (type === frameTypes.tracedQuestion)
      writer.tracedQuestion(kind, id, epoch, timeout, bytes, Buffer.from(trace, 'latin1'))
    else writer.frame(type, kind, id, bytes)
  }
  return Buffer.concat(writer.pieces())
}

export function decode(chunks: readonly Buffer[], bound = 1_000_000) {
  const handler = collector()
  const decoder = new FrameDecoder(handler, bound)
  let reason: string | undefined
  for (const chunk of chunks) reason = decoder.push(chunk)
  return { ...handler, decoder, reason }
}
