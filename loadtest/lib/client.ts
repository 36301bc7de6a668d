/**
 * A client of the cluster, as an application would have one: it asks any node, goes to the next
 * when one does not answer, and repeats a write under the same `Idempotency-Key`.
 */
import { b64decode } from 'k6/encoding'
import http, { type RefinedResponse } from 'k6/http'
import { client } from './keys.ts'
import { opFailed, opMs, quorumUnmet, retries, siblingsSeen } from './metrics.ts'
import { authorization, urls } from './settings.ts'

export type Level = 'one' | 'quorum' | 'all'

export interface About {
  readonly bucket: string
  readonly key: string
  readonly level: Level
}

export interface WriteSettings extends About {
  /** Of the read or write that this one replaces; none for a key never seen. */
  readonly context: string | undefined
}

export interface Written {
  /** Refused: surely not done. Unknown: it may have been done, or be done yet. */
  readonly outcome: 'done' | 'refused' | 'unknown'
  readonly status: number
  readonly context: string
}

export interface Shown {
  /** Whether it was read at all; if so, no values mean that there is no such key. */
  readonly ok: boolean
  readonly status: number
  readonly values: readonly string[]
  readonly context: string
}

type Answer = RefinedResponse<'text'>

const READ_STATUSES = [200, 300, 404]
/** A node that did not take a connection is left alone for so long. */
const AVOID_MS = 1_000
/** Longer than any deadline of a node. */
const TRY_TIMEOUT = '8s'

http.setResponseCallback(http.expectedStatuses({ min: 200, max: 300 }, 404))

export function read({ bucket, key, level }: About): Shown {
  const { answer } = send('GET', { bucket, key, level, op: 'get' }, null, {})
  const values = valuesOf(answer)
  const ok = READ_STATUSES.includes(answer.status)
  if (values.length > 0) siblingsSeen.add(values.length, { op: 'get', level })
  return { ok, status: answer.status, values, context: header(answer, 'Causal-Context') }
}

export const write = (settings: WriteSettings, body: string): Written =>
  change('PUT', settings, body)

export const remove = (settings: WriteSettings): Written => change('DELETE', settings, null)

function change(
  method: 'PUT' | 'DELETE',
  { bucket, key, level, context }: WriteSettings,
  body: string | null,
): Written {
  const op = method === 'PUT' ? 'put' : 'delete'
  const headers: Record<string, string> = {
    'Content-Type': 'text/plain',
    'Idempotency-Key': `${client()}-${born}-${sent++}`,
  }
  if (context !== undefined) headers['Causal-Context'] = context
  const { answer, mayBeDone } = send(method, { bucket, key, level, op }, body, headers)
  const { status } = answer
  const done = status === 204
  return {
    outcome: done ? 'done' : mayBeDone ? 'unknown' : 'refused',
    status,
    context: header(answer, 'Causal-Context'),
  }
}

/** An earlier run on the same keys must not be taken for this one. */
const born = Date.now().toString(36)
let sent = 0

interface Sent {
  readonly answer: Answer
  /** Whether any of the tries may have been carried out though none was acknowledged. */
  readonly mayBeDone: boolean
}

function send(
  method: 'GET' | 'PUT' | 'DELETE',
  { bucket, key, level, op }: About & { readonly op: string },
  body: string | null,
  headers: Readonly<Record<string, string>>,
): Sent {
  const tags = { op, level }
  const path = `/v1/kv/${bucket}/${encodeURIComponent(key)}`
  const params = {
    headers: { Consistency: level, ...authorization, ...headers },
    tags: { ...tags, name: op },
    timeout: TRY_TIMEOUT,
  }
  let took = 0
  let mayBeDone = false
  for (let tries = 1; ; tries++) {
    const url = nextUrl()
    const answer = http.request(method, url + path, body, params) as Answer
    took += answer.timings.connecting + answer.timings.duration
    quorumUnmet.add(isUnmet(answer), tags)
    const isOver = answer.status > 0 && answer.status < 500
    if (!isOver) mayBeDone ||= mayHaveBeenDone(answer)
    if (isOver || tries >= urls.length) {
      opMs.add(took, tags)
      opFailed.add(!isOver, tags)
      return { answer, mayBeDone }
    }
    if (answer.status === 0) avoided.set(url, Date.now() + AVOID_MS)
    retries.add(1, tags)
  }
}

const avoided = new Map<string, number>()
let turn = Math.floor(Math.random() * urls.length)

/** In turn, without those that did not answer a moment ago, unless no other is left. */
function nextUrl(): string {
  const now = Date.now()
  for (let tries = 0; tries < urls.length; tries++) {
    const url = urls[turn++ % urls.length] ?? ''
    if ((avoided.get(url) ?? 0) <= now) return url
  }
  return urls[turn++ % urls.length] ?? ''
}

const isUnmet = ({ status, body }: Answer): boolean =>
  (status === 503 || status === 504) && (body ?? '').includes('SHOAL_QUORUM_')

/** What was not sent was not done; a node says so, and a refused connection carries nothing. */
function mayHaveBeenDone({ status, error_code: code, body }: Answer): boolean {
  if (status === 0) return code !== CONNECTION_REFUSED
  return !(body ?? '').includes('"not-applied"')
}

const CONNECTION_REFUSED = 1212

function valuesOf(answer: Answer): readonly string[] {
  if (answer.status === 200) return [answer.body]
  if (answer.status !== 300) return []
  const { siblings } = answer.json() as unknown as { siblings: readonly { base64: string }[] }
  return siblings.map(({ base64 }) => b64decode(base64, 'std', 's'))
}

/** k6 writes the names of headers as Go does. */
const header = ({ headers }: Answer, name: string): string => headers[name] ?? ''
