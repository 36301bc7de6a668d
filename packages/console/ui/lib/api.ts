/** The node's HTTP API, as far as the console uses it. */

export interface Health {
  readonly status: 'healthy' | 'degraded' | 'unavailable'
  readonly verdict: string
  readonly nodesUp: number
  readonly nodesTotal: number
  readonly warnings: readonly string[]
}

export interface Cluster {
  readonly id: string
  readonly node: string
  readonly version: string
  readonly epoch: number
  readonly partitions: number
  readonly replicas: number
  readonly nodes: number
  readonly health: Health
  /** Where faults are made: only on a local cluster started for that. */
  readonly chaos?: string
}

export interface Ring {
  readonly epoch: number
  readonly partitions: number
  readonly replicas: number
  readonly members: readonly Member[]
  readonly table: readonly (readonly string[])[]
}

export interface Member {
  readonly id: string
  readonly url: string
  readonly zone?: string
  readonly host?: string
  readonly weight: number
}

export interface NodeState {
  readonly id: string
  readonly url: string
  readonly state: string
  readonly version: string
  readonly uptimeMs: number
  readonly load: number
}

export interface HintTarget {
  readonly node: string
  readonly count: number
  readonly bytes: number
  readonly oldestMs: number
  readonly dirtyPartitions: number
}

export interface Hints {
  readonly total: number
  readonly bytes: number
  readonly oldestMs: number
  readonly targets: readonly HintTarget[]
}

/** How far copies may be apart. */
export interface Debt {
  /** Every write older than this is on all its replicas. */
  readonly ageMs: number
  readonly divergentSegments: number
  readonly unverified: number
  readonly hintBytes: number
  readonly oldestHintMs: number
}

export interface Budget {
  readonly bytesPerSecond: number
  readonly paused: boolean
  readonly quiet: boolean
  readonly waitingBytes: number
  readonly etaMs?: number
}

export interface NodeRepairs {
  readonly node: string
  readonly debt: Debt
  readonly budget: Budget
  readonly lostPartitions: number
  readonly unhealed: number
  readonly tombstones: number
}

/** Of all nodes that answered. */
export interface ClusterRepairs {
  readonly debt: Debt
  readonly nodes: readonly NodeRepairs[]
  readonly silent: readonly string[]
}

/** Of the node that was asked. */
export interface Repairs {
  readonly budget: Budget & { readonly quietHours: readonly string[] }
  readonly pulled: number
  readonly pushed: number
  readonly healed: number
  readonly lostPartitions: readonly number[]
  readonly jobs: readonly Job[]
}

export interface Holder {
  readonly node: string
  readonly role: 'primary' | 'fallback'
  readonly etag: string
  readonly dots: readonly string[]
  readonly state: string
}

export interface Explanation {
  readonly token: string
  readonly partition: number
  readonly preferenceList: readonly string[]
  readonly fallbacks: readonly string[]
  readonly holders: readonly Holder[]
  readonly hintsOwed: number
}

export interface TraceEvent {
  readonly at: number
  readonly node: string
  readonly event: string
  readonly detail: string
}

export interface Trace {
  readonly id: string
  readonly node: string
  readonly operation: string
  readonly bucket: string
  readonly key: string
  readonly started: number
  readonly events: readonly TraceEvent[]
  readonly replicas: readonly { node: string; role: string; state: string; ms: number }[]
}

export interface Bucket {
  readonly name: string
  readonly n?: number
  readonly consistency?: string
  readonly conflicts?: string
  readonly blindWrites?: string
  readonly ttl?: number
  readonly maxSiblings?: number
  readonly durability?: string
  readonly mode?: string
}

export interface Job {
  readonly id: string
  readonly kind: string
  readonly state: 'running' | 'done' | 'failed' | 'paused'
  readonly progress: number
  readonly etaMs?: number
  readonly detail: string
}

/** What a node answers when it refuses: RFC 9457, with what Shoal adds. */
export interface Problem {
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: string
  readonly outcome?: string
  readonly hint?: string
  readonly replicas?: readonly { node: string; role: string; state: string; ms: number }[]
}

export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly problem: Problem

  constructor(problem: Problem) {
    super(problem.detail || problem.title)
    this.problem = problem
  }
}

const TOKEN = 'shoal-token'

/** Kept for this tab only: a token must not outlive the visit. */
export const accessToken = {
  get: (): string => sessionStorage.getItem(TOKEN) ?? '',
  set: (token: string): void => sessionStorage.setItem(TOKEN, token),
  forget: (): void => sessionStorage.removeItem(TOKEN),
}

export interface CallOptions {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: BodyInit
  readonly signal?: AbortSignal
}

/** One request, whatever its status. @throws ApiError when no node could be reached */
export async function send(path: string, options: CallOptions = {}): Promise<Response> {
  const headers = new Headers(options.headers)
  const token = accessToken.get()
  if (token !== '') headers.set('Authorization', `Bearer ${token}`)
  try {
    return await fetch(path, { ...options, headers, cache: 'no-store' })
  } catch (error) {
    if ((error as Error).name === 'AbortError') throw error
    throw new ApiError({
      title: 'This node does not answer',
      status: 0,
      code: 'SHOAL_PEER_UNREACHABLE',
      detail: 'No connection. The node may be down; open the console of another one.',
    })
  }
}

/** One request that has to succeed. @throws ApiError */
export async function call(path: string, options: CallOptions = {}): Promise<Response> {
  const response = await send(path, options)
  if (!response.ok) throw new ApiError(await problemOf(response))
  return response
}

/** @throws ApiError */
export async function getJson<T>(path: string, options: CallOptions = {}): Promise<T> {
  return (await call(path, options)).json() as Promise<T>
}

export async function problemOf(response: Response): Promise<Problem> {
  const text = await response.text()
  try {
    return JSON.parse(text) as Problem
  } catch {
    const title = response.statusText || `status ${response.status}`
    return { title, status: response.status, code: '', detail: text.slice(0, 300) }
  }
}

/** The path of a key: each part is one percent-encoded segment. */
export const keyPath = (bucket: string, key: string): string =>
  `/v1/kv/${segment(bucket)}/${segment(key)}`

/** What to ask for so that copies are compared; what is empty is everything. */
export function repairPath(bucket: string, partition: string): string {
  const query = new URLSearchParams()
  if (bucket !== '') query.set('bucket', bucket)
  if (partition !== '') query.set('partition', partition)
  return query.size === 0 ? '/v1/repairs' : `/v1/repairs?${query}`
}

export const explainPath = (bucket: string, key: string): string =>
  `/v1/explain/${segment(bucket)}/${segment(key)}`

/** A lone dot or two would be taken away as a path step. */
function segment(text: string): string {
  if (text === '.') return '%2E'
  if (text === '..') return '%2E%2E'
  return encodeURIComponent(text)
}
