/**
 * A key-value store as the API tells it, in memory and without replicas: values by dot, contexts
 * that say which dots were seen, siblings. Enough to hold the client to the contract.
 */
export interface FakeValue {
  readonly dot: number
  readonly type: string
  readonly encoding: string
  readonly body: Buffer
  readonly modified: number
  readonly requestId: string
}

interface FakeKey {
  live: FakeValue[]
  /** Dots are numbered per key; all up to this one happened. */
  last: number
}

export interface FakePut {
  readonly body: Buffer
  readonly type: string
  readonly encoding: string
  /** Undefined for a blind write. */
  readonly context: string | undefined
  readonly requestId: string
}

export class FakeStore {
  readonly #keys = new Map<string, FakeKey>()
  #clock = 1_700_000_000_000
  writes = 0

  live(bucket: string, key: string): readonly FakeValue[] {
    return this.#keys.get(name(bucket, key))?.live ?? []
  }

  /** The context of a read of this key now. */
  contextOf(bucket: string, key: string): string {
    const state = this.#keys.get(name(bucket, key))
    return encodeContext(bucket, key, state ? state.live.map(({ dot }) => dot) : [])
  }

  etagOf(bucket: string, key: string): string {
    return etag(this.live(bucket, key))
  }

  /** Returns the context of the answer. The same request id does nothing twice. */
  put(bucket: string, key: string, put: FakePut): string {
    const state = this.#state(bucket, key)
    const again = state.live.find(({ requestId }) => put.requestId && requestId === put.requestId)
    if (again) return encodeContext(bucket, key, [again.dot])
    this.writes++
    this.#drop(state, bucket, key, put.context)
    const dot = ++state.last
    this.#clock += 1_000
    state.live.push({
      dot,
      type: put.type,
      encoding: put.encoding,
      body: put.body,
      modified: this.#clock,
      requestId: put.requestId,
    })
    return encodeContext(bucket, key, [dot])
  }

  delete(bucket: string, key: string, context: string | undefined): string {
    const state = this.#state(bucket, key)
    this.writes++
    this.#drop(state, bucket, key, context)
    return encodeContext(bucket, key, [++state.last])
  }

  keys(bucket: string): string[] {
    return [...this.#keys]
      .filter(([full, { live }]) => full.startsWith(`${bucket}\0`) && live.length > 0)
      .map(([full]) => full.slice(bucket.length + 1))
      .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  }

  #state(bucket: string, key: string): FakeKey {
    const full = name(bucket, key)
    const state = this.#keys.get(full) ?? { live: [], last: 0 }
    this.#keys.set(full, state)
    return state
  }

  #drop(state: FakeKey, bucket: string, key: string, context: string | undefined): void {
    const seen = context === undefined ? undefined : decodeContext(bucket, key, context)
    state.live = seen === undefined ? [] : state.live.filter(({ dot }) => !seen.includes(dot))
  }
}

const name = (bucket: string, key: string): string => `${bucket}\0${key}`

export const etag = (values: readonly FakeValue[]): string =>
  values.length === 0 ? '' : `"${values.map(({ dot }) => dot).join('.')}"`

const encodeContext = (bucket: string, key: string, dots: readonly number[]): string =>
  `c1.${Buffer.from(JSON.stringify({ bucket, key, dots })).toString('base64url')}`

function decodeContext(bucket: string, key: string, context: string): readonly number[] {
  const told = JSON.parse(Buffer.from(context.slice(3), 'base64url').toString()) as {
    bucket: string
    key: string
    dots: number[]
  }
  if (told.bucket !== bucket || told.key !== key) throw new RangeError('foreign context')
  return told.dots
}
