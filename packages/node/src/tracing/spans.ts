/** What of a request stands in a trace: names and attributes, by OpenTelemetry's conventions. */
import { type Attributes, type Span, SpanStatusCode } from '@opentelemetry/api'
import { type Follower, formatConsistency, type RequestReport } from '@shoal/coordinator'
import { type NodeId, ShoalError } from '@shoal/kernel'
import type { IncomingQuestion } from '@shoal/transport'
import { answerKinds, decodeForwardedAnswer, decodeRefusal, questionKinds } from '@shoal/wire'
import type { FollowedQuestion } from '../answerer.ts'

const ASKED = 'asked'

/** Tells a span what happens to a request, and peers which trace it belongs to. */
export class SpanFollower implements Follower {
  readonly carried: Uint8Array | undefined
  readonly #span: Span | undefined

  /** @param span  undefined: nobody records here, and the trace is only passed on */
  constructor(span: Span | undefined, carried: Uint8Array | undefined) {
    this.#span = span
    this.carried = carried
  }

  /** Replicas answer after the request has: an ended span takes no events, and would complain. */
  happened(node: NodeId, event: string): void {
    const span = this.#span
    if (!span?.isRecording()) return
    const attributes = { 'shoal.replica': node }
    if (event === ASKED) return void span.addEvent('shoal.replica.asked', attributes)
    span.addEvent('shoal.replica.answered', { ...attributes, 'shoal.state': event })
  }

  reached(): void {
    if (this.#span?.isRecording()) this.#span.addEvent('shoal.quorum.reached')
  }
}

/** How a request of a client ended. */
export interface RequestEnd {
  /** 0: the client went away. */
  readonly status: number
  /** The code of the error that was answered. */
  readonly failure: string | undefined
  readonly bucket: string
  readonly report: RequestReport | undefined
}

/** The span of one request of a client. */
export class RequestSpan extends SpanFollower {
  readonly traceId: string
  readonly #span: Span | undefined

  constructor(
    span: Span | undefined,
    { traceId, carried }: { readonly traceId: string; readonly carried: Uint8Array | undefined },
  ) {
    super(span, carried)
    this.traceId = traceId
    this.#span = span
  }

  end({ status, failure, bucket, report }: RequestEnd): void {
    const span = this.#span
    if (span === undefined) return
    span.setAttributes({
      ...(bucket === '' ? {} : { 'shoal.bucket': bucket }),
      ...(report === undefined ? {} : attributesOf(report)),
      ...(status === 0 ? {} : { 'http.response.status_code': status }),
    })
    // What a client did wrong is no failure of the server.
    const error = status >= 500 ? (failure ?? String(status)) : status === 0 ? GONE : undefined
    if (error !== undefined) fail(span, error)
    span.end()
  }
}

/** The client went away before its answer. */
const GONE = 'client_gone'

function attributesOf({ partition, consistency }: RequestReport): Attributes {
  return {
    'shoal.partition': partition,
    ...(consistency === undefined ? {} : { 'shoal.consistency': formatConsistency(consistency) }),
  }
}

function fail(span: Span, error: string): void {
  span.setAttribute('error.type', error)
  span.setStatus({ code: SpanStatusCode.ERROR })
}

/** What a peer may be asked for a request of a client. Other questions have no span. */
export const spanNames: ReadonlyMap<number, string> = new Map([
  [questionKinds.merge, 'shoal.replica.write'],
  [questionKinds.mergeAsStandIn, 'shoal.replica.write'],
  [questionKinds.read, 'shoal.replica.read'],
  [questionKinds.list, 'shoal.replica.list'],
  [questionKinds.write, 'shoal.coordinate'],
  [questionKinds.writeAsStandIn, 'shoal.coordinate'],
])

const answerNames: ReadonlyMap<number, string> = new Map(
  Object.entries(answerKinds).map(([name, kind]) => [kind, name]),
)

/** A question of a peer whose span ends with its last answer. */
export class QuestionSpan implements FollowedQuestion {
  readonly follower: SpanFollower
  readonly #question: IncomingQuestion
  readonly #span: Span | undefined

  constructor(question: IncomingQuestion, span: Span | undefined, carried: Uint8Array | undefined) {
    this.#question = question
    this.#span = span
    this.follower = new SpanFollower(span, carried)
  }

  get from(): NodeId {
    return this.#question.from
  }

  get kind(): number {
    return this.#question.kind
  }

  get body(): Buffer {
    return this.#question.body
  }

  get epoch(): number {
    return this.#question.epoch
  }

  get deadline(): IncomingQuestion['deadline'] {
    return this.#question.deadline
  }

  answer(kind: number, body: Uint8Array, more = false): void {
    this.#question.answer(kind, body, more)
    const span = this.#span
    if (span === undefined) return
    const name = answerNames.get(kind) ?? String(kind)
    if (more) return void span.addEvent('shoal.replica.answered', { 'shoal.answer': name })
    span.setAttribute('shoal.answer', name)
    const error = errorIn(kind, body)
    if (error !== undefined) fail(span, error)
    span.end()
  }
}

/** The code of an answer that says that nothing came of it. */
function errorIn(kind: number, body: Uint8Array): string | undefined {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  if (kind === answerKinds.refused) return decodeRefusal(bytes)
  if (kind !== answerKinds.written || bytes[0] !== 0) return undefined
  const answer = decodeForwardedAnswer(bytes)
  return answer instanceof ShoalError && answer.status >= 500 ? answer.code : undefined
}
