import { ApiError, type CallOptions, keyPath, type Problem, problemOf, send } from './api.ts'
import { parseReceipt, type Receipt } from './receipt.ts'
import { fromBase64 } from './values.ts'

/** One of the values that a key has. */
export interface KeyValue {
  readonly etag: string
  readonly type: string
  readonly modified: string
  readonly body: Uint8Array
}

/** What one request about a key brought. */
export interface Answer {
  readonly status: number
  readonly ms: number
  readonly values: readonly KeyValue[]
  readonly context: string
  readonly etag: string
  readonly consistency: string
  readonly receipt: Receipt
  readonly traceId: string
  /** Present when it was refused; of a 404 as well. */
  readonly problem: Problem | undefined
}

export interface KeyRequest {
  readonly operation: 'get' | 'put' | 'delete'
  readonly bucket: string
  readonly key: string
  readonly consistency?: string
  readonly context?: string
  readonly type?: string
  readonly body?: string
  readonly explain?: boolean
}

/** Never rejects for what a node answers. @throws ApiError when none could be reached */
export async function request(asked: KeyRequest): Promise<Answer> {
  const began = performance.now()
  const response = await send(keyPath(asked.bucket, asked.key), optionsOf(asked))
  const values = asked.operation === 'get' ? await valuesOf(response) : []
  const header = (name: string): string => response.headers.get(name) ?? ''
  return {
    status: response.status,
    ms: performance.now() - began,
    values,
    context: header('Causal-Context'),
    etag: header('ETag'),
    consistency: header('Consistency'),
    receipt: parseReceipt(header('Receipt')),
    traceId: header('Trace-Id'),
    problem: response.status >= 400 ? await problemOf(response) : undefined,
  }
}

/** As `request`; what a node refuses is thrown. A missing key has no values. @throws ApiError */
export async function mustSucceed(asked: KeyRequest): Promise<Answer> {
  const answer = await request(asked)
  if (answer.problem && answer.status !== 404) throw new ApiError(answer.problem)
  return answer
}

function optionsOf(asked: KeyRequest): CallOptions {
  const { operation, consistency = '', context = '', type = '', body = '' } = asked
  const isPut = operation === 'put'
  return {
    method: operation.toUpperCase(),
    headers: {
      ...(consistency === '' ? {} : { Consistency: consistency }),
      ...(context === '' || operation === 'get' ? {} : { 'Causal-Context': context }),
      ...(isPut && type !== '' ? { 'Content-Type': type } : {}),
      ...(operation === 'get' ? { Accept: 'application/vnd.shoal.siblings+json, */*;q=0.5' } : {}),
      ...(asked.explain ? { Explain: '?1' } : {}),
    },
    ...(isPut ? { body } : {}),
  }
}

interface SiblingDocument {
  readonly siblings: readonly { etag: string; type: string; modified: string; base64: string }[]
}

async function valuesOf(response: Response): Promise<KeyValue[]> {
  if (response.status === 300) {
    const { siblings } = (await response.json()) as SiblingDocument
    return siblings.map(({ base64, ...rest }) => ({ ...rest, body: fromBase64(base64) }))
  }
  if (response.status !== 200) return []
  return [
    {
      etag: response.headers.get('ETag') ?? '',
      type: response.headers.get('Content-Type') ?? '',
      modified: response.headers.get('Last-Modified') ?? '',
      body: new Uint8Array(await response.arrayBuffer()),
    },
  ]
}
