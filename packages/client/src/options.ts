/** What a caller may choose, for a client and for a call. */
import type { Env } from '@shoal/kernel'
import { badOption } from './errors.ts'
import type { Transport } from './shell/transport.ts'
import type { TlsOptions } from './shell/undici.ts'
import type { StoredValue } from './shell/value.ts'

/** Text is stored as UTF-8, bytes as they are, `json(value)` as JSON. */
export type Body = string | Uint8Array | Json

/** A value to be stored as JSON. Made by `json`. */
export class Json {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/**
 * Marks a value to be written as JSON, with the content type that says so.
 *
 * @throws TypeError as JSON.stringify does, and for what JSON cannot say (a function, undefined)
 */
export function json(value: unknown): Json {
  const text: string | undefined = JSON.stringify(value)
  if (text === undefined) throw badOption('json() was given something that JSON cannot say')
  return new Json(text)
}

export type ConsistencyLevel = 'one' | 'quorum' | 'all'

/** How many replicas stand behind a call. Numbers override the level. */
export interface ConsistencyOptions {
  /** Default `quorum`. */
  readonly level?: ConsistencyLevel | undefined
  /** Replicas that must answer a read. */
  readonly r?: number | undefined
  /** Replicas that must acknowledge a write. */
  readonly w?: number | undefined
  /** Of those, how many must have it on disk; 0 for memory alone. */
  readonly durable?: number | undefined
  /** Only the key's own replicas count, no stand-ins, and reads never go back in time. */
  readonly strict?: boolean | undefined
}

export type Consistency = ConsistencyLevel | ConsistencyOptions

export interface CallOptions {
  /** Ends the call; it then rejects with an `Aborted` whose name is `AbortError`. */
  readonly signal?: AbortSignal | undefined
  /** Milliseconds for the whole call, all tries together, 1 to 60,000. */
  readonly timeoutMs?: number | undefined
  readonly consistency?: Consistency | undefined
}

export interface KeyCallOptions extends CallOptions {
  /** Have the cluster keep a trace of this call; see `traceId` of the answer. */
  readonly explain?: boolean | undefined
  /** W3C trace context, passed on as it is. */
  readonly traceparent?: string | undefined
}

export interface GetOptions extends KeyCallOptions {
  /**
   * `all` (default): siblings come back as siblings. `resolve`: the server picks one, the same on
   * every node; writing with that answer's context replaces the others.
   */
  readonly siblings?: 'all' | 'resolve' | undefined
  /** Answer `unchanged` if the key still has this ETag. */
  readonly ifNoneMatch?: string | undefined
}

export type HeadOptions = Omit<GetOptions, 'siblings'>

export interface WriteOptions extends KeyCallOptions {
  /**
   * The context of the read or write this one follows. Without it the write is blind: it replaces
   * what its coordinator happens to know.
   */
  readonly context?: string | undefined
  /**
   * Names this write for 10 minutes, so that sending it again does nothing more. Made by the client
   * when absent; give your own to repeat a write whose outcome was unknown.
   */
  readonly idempotencyKey?: string | undefined
  /** Only if the key has one of these ETags, `*` for any. Checked, not atomic: see the receipt. */
  readonly ifMatch?: string | readonly string[] | undefined
  /** Only if the key has none of these ETags, `*` for "only if there is no value". */
  readonly ifNoneMatch?: string | readonly string[] | undefined
}

export interface PutOptions extends WriteOptions {
  /** Default by the body: text `text/plain; charset=utf-8`, JSON `application/json`, bytes none. */
  readonly contentType?: string | undefined
  readonly contentEncoding?: string | undefined
  /** Seconds until the value expires. */
  readonly ttlSeconds?: number | undefined
}

export type DeleteOptions = WriteOptions

export interface ListOptions extends CallOptions {
  /** Only keys that begin with this. */
  readonly prefix?: string | undefined
  /** Keys in one page, 1 to 1,000. Default 1,000: a listing is read to its end as a rule. */
  readonly pageSize?: number | undefined
  /** Continue where a page with this cursor ended; same bucket, same prefix. */
  readonly cursor?: string | undefined
}

/**
 * How an update makes one of several values.
 * - a function: given all siblings, returns the one to go on with, or a new one made of them. It
 *   must not lose what it should keep: the others are gone after the write.
 * - `newest`: the largest time of writing; the others are lost.
 * - `fail`: reject with a `Conflict`.
 */
export type Resolve =
  | 'newest'
  | 'fail'
  | ((siblings: readonly StoredValue[]) => StoredValue | Body | Promise<StoredValue | Body>)

/**
 * What an update's function decides: a new value, `null` to delete, `undefined` to leave all as it
 * is.
 */
export type Change = Body | null | undefined

export interface UpdateOptions extends CallOptions {
  /** What to do with siblings. Required: any key may have them. */
  readonly resolve: Resolve
  /** How often the value is read and changed at most, 1 to 64. Default 8. */
  readonly rounds?: number | undefined
  /**
   * Have the server compare the ETag before it writes (default), so that most concurrent updates
   * begin again instead of leaving siblings. `false` saves its read, for values that `resolve` can
   * merge.
   */
  readonly check?: boolean | undefined
  readonly contentType?: string | undefined
  readonly ttlSeconds?: number | undefined
}

export interface ConnectOptions {
  /** Bearer token, or a function that gives the current one. */
  readonly token?: string | (() => string) | undefined
  /** For `https:` nodes. */
  readonly tls?: TlsOptions | undefined
  /** Default for each call, all tries together. Default 5,000. */
  readonly timeoutMs?: number | undefined
  /** What one try is given before the next begins. Default 2,000. */
  readonly tryTimeoutMs?: number | undefined
  /**
   * Further tries after the first, 0 to 15. Default 5; the retry budget limits them to 10 %
   * overall.
   */
  readonly retries?: number | undefined
  /**
   * Send a read that is slower than the 95th percentile (and 10 ms) to a second node; at most 5 %
   * of reads. Default true: it hides a stalled node, and costs next to nothing while all are quick.
   */
  readonly hedge?: boolean | undefined
  /**
   * Gather concurrent gets, puts and deletes into batches; see `Client.pipeline`. Default false.
   */
  readonly batching?: boolean | undefined
  /** `ring` (default): go to the nodes that hold the key. `seeds`: use only the URLs given. */
  readonly routing?: 'ring' | 'seeds' | undefined
  /** Connections to each node at most. Default 64. */
  readonly connections?: number | undefined
  /** Default 1,000. */
  readonly connectTimeoutMs?: number | undefined
  /** Default for each call. */
  readonly consistency?: Consistency | undefined
  /** Time, timers and chance. For tests and simulation. */
  readonly env?: Env | undefined
  /** The network. For tests and simulation. */
  readonly transport?: Transport | undefined
}
