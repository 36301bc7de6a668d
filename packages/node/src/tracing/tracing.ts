/**
 * Traces of requests, by the OpenTelemetry API.
 *
 * The API alone does nothing: spans begin where the operator has loaded an SDK before the node,
 * with `NODE_OPTIONS=--import`. Whether there is one is looked at once, when the node is composed.
 * Where there is none and a request names no trace, it costs one look at its headers.
 *
 * A trace that somebody records goes on to the replicas, whether this node records it or not.
 */
import {
  type Context,
  context,
  createTraceState,
  ProxyTracerProvider,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api'
import type { NodeId } from '@shoal/kernel'
import type { IncomingQuestion } from '@shoal/transport'
import {
  decodeTraceContext,
  encodeTraceContext,
  formatTraceparent,
  parseTraceContext,
  type TraceContext,
} from '@shoal/wire'
import type { FollowedQuestion } from '../answerer.ts'
import { QuestionSpan, RequestSpan, spanNames } from './spans.ts'

export interface TracedRequest {
  readonly id: string
  readonly method: string
  /** `/v1/kv/{bucket}/{key}`; never the path itself, which has the key in it. */
  readonly route: string
  readonly scheme: 'http' | 'https'
  /** What the client sent, where it could be understood. */
  readonly client: TraceContext | undefined
}

export class Tracing {
  readonly #node: NodeId
  readonly #tracer: Tracer | undefined

  constructor({ node, version }: { readonly node: NodeId; readonly version: string }) {
    this.#node = node
    this.#tracer = isRegistered() ? trace.getTracer('shoal', version) : undefined
  }

  /** Whether spans are made of requests that belong to no trace yet. */
  get isRecording(): boolean {
    return this.#tracer !== undefined
  }

  /** Undefined where nobody records this request. */
  begin({ id, method, route, scheme, client }: TracedRequest): RequestSpan | undefined {
    const span = this.#tracer?.startSpan(
      `${method} ${route}`,
      {
        kind: SpanKind.SERVER,
        attributes: {
          'http.request.method': method,
          'http.route': route,
          'url.scheme': scheme,
          'shoal.node': this.#node,
          'shoal.request_id': id,
        },
      },
      parentOf(client),
    )
    if (span === undefined) return client && passedOn(client)
    const { traceId } = span.spanContext()
    const carried = carriedBy(span)
    if (!span.isRecording()) return carried && new RequestSpan(undefined, { traceId, carried })
    return new RequestSpan(span, { traceId, carried })
  }

  /** @throws SHOAL_FRAME_INVALID */
  follow(question: IncomingQuestion): FollowedQuestion {
    const name = spanNames.get(question.kind)
    if (name === undefined || question.trace === undefined) return question
    const asker = decodeTraceContext(question.trace)
    const span = this.#tracer?.startSpan(
      name,
      {
        kind: SpanKind.SERVER,
        attributes: { 'shoal.node': this.#node, 'shoal.from': question.from },
      },
      contextOf(asker),
    )
    if (span?.isRecording()) return new QuestionSpan(question, span, carriedBy(span))
    return new QuestionSpan(question, undefined, question.trace)
  }
}

/**
 * Where nobody has registered anything, the API hands out a proxy of its own that leads nowhere. An
 * SDK brings its own copy of the API, so what else there may be is not of our class.
 */
function isRegistered(): boolean {
  const provider = trace.getTracerProvider()
  return (
    !(provider instanceof ProxyTracerProvider) || provider.getDelegateTracer('shoal') !== undefined
  )
}

/** Another library may have begun a span for this request already: ours is part of it. */
function parentOf(client: TraceContext | undefined): Context {
  const active = context.active()
  if (trace.getSpan(active) !== undefined) return active
  return client === undefined ? ROOT_CONTEXT : contextOf(client)
}

function contextOf({ traceId, spanId, sampled, state }: TraceContext): Context {
  return trace.setSpanContext(ROOT_CONTEXT, {
    traceId,
    spanId,
    traceFlags: sampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
    isRemote: true,
    ...(state === '' ? {} : { traceState: createTraceState(state) }),
  })
}

const passedOn = (client: TraceContext): RequestSpan | undefined =>
  client.sampled
    ? new RequestSpan(undefined, { traceId: client.traceId, carried: encodeTraceContext(client) })
    : undefined

/** What a peer is told of a span; nothing where nobody records it. */
function carriedBy(span: Span): Uint8Array | undefined {
  const { traceId, spanId, traceFlags, traceState } = span.spanContext()
  if ((traceFlags & TraceFlags.SAMPLED) === 0) return undefined
  const own = { traceId, spanId, sampled: true, state: '' }
  // What an SDK makes of it is read as what a client sends: it need not be what a peer takes.
  const whole = parseTraceContext(formatTraceparent(own), traceState?.serialize())
  return whole && encodeTraceContext(whole)
}
