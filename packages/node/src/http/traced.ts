/** Which requests are traced, and as what. */
import type { IncomingMessage } from 'node:http'
import { maySample, parseTraceContext, type TraceContext } from '@shoal/wire'
import type { RequestSpan } from '../tracing/spans.ts'
import type { Headers } from './headers/key-headers.ts'
import type { Operation } from './metrics.ts'
import type { Services } from './services.ts'

/**
 * What clients do with data. Probes, metrics and pages would only be noise, and what administrators
 * ask for has the audit.
 */
const routes: { readonly [Name in Operation]?: string } = {
  get: '/v1/kv/{bucket}/{key}',
  head: '/v1/kv/{bucket}/{key}',
  put: '/v1/kv/{bucket}/{key}',
  delete: '/v1/kv/{bucket}/{key}',
  list: '/v1/kv/{bucket}',
  batch: '/v1/batch',
}

/** Undefined for most: nobody traces this request. */
export function beginSpan({
  services,
  request,
  operation,
  id,
}: {
  readonly services: Services
  readonly request: IncomingMessage
  readonly operation: Operation
  readonly id: string
}): RequestSpan | undefined {
  const { tracing, tls } = services
  if (tracing === undefined) return undefined
  const route = routes[operation]
  if (route === undefined) return undefined
  if (!tracing.isRecording && !isPassedOn(request)) return undefined
  return tracing.begin({
    ...{ id, route, client: clientTrace(request) },
    method: request.method ?? '',
    scheme: tls === undefined ? 'http' : 'https',
  })
}

/** Where this node records nothing, the trace may still be for others. */
function isPassedOn({ headers }: IncomingMessage): boolean {
  const { traceparent } = headers as Headers
  return traceparent !== undefined && maySample(traceparent)
}

/** The trace that the client says it belongs to. */
export function clientTrace(request: IncomingMessage): TraceContext | undefined {
  const { traceparent, tracestate } = request.headers as Headers
  return traceparent === undefined ? undefined : parseTraceContext(traceparent, tracestate)
}
