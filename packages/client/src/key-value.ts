/** What a client, a session and a pipeline have in common: the operations on keys. */
import type { Env } from '@shoal/kernel'
import { jsonOf } from './core/answer.ts'
import type {
  Body,
  Change,
  DeleteOptions,
  GetOptions,
  HeadOptions,
  ListOptions,
  PutOptions,
  UpdateOptions,
} from './options.ts'
import {
  type BatchOperation,
  type BatchOptions,
  type BatchResult,
  runBatch,
} from './shell/batch.ts'
import type { Caller } from './shell/caller.ts'
import { Listing } from './shell/listing.ts'
import {
  deleteOperation,
  listOperation,
  putOperation,
  readOperation,
} from './shell/make-operation.ts'
import {
  type AbsentRead,
  type Head,
  type Read,
  type SiblingsRead,
  toHead,
  toPage,
  toRead,
  toValue,
  toWritten,
  type UnchangedRead,
  type ValueRead,
  type Written,
} from './shell/results.ts'
import { runUpdate, type Updated } from './shell/update.ts'
import type { StoredValue } from './shell/value.ts'

/**
 * What a `get` with these options may come to: siblings unless the server was told to pick,
 * `unchanged` only if it was asked for.
 */
export type ReadFor<O extends GetOptions> =
  | ValueRead
  | AbsentRead
  | (O extends { readonly siblings: 'resolve' } ? never : SiblingsRead)
  | ('ifNoneMatch' extends keyof O ? UnchangedRead : never)

/**
 * Operations on keys. Every method rejects with a `ShoalClientError`: `BadRequest` before anything
 * is sent when an argument is wrong, `Aborted` when the signal fires, `DeadlineExceeded` at the
 * deadline, otherwise the family of what the cluster answered.
 */
export class KeyValue {
  readonly #env: Env
  readonly #caller: Caller

  /** Not for callers: faces come from `connect`, `session()` and `pipeline`. */
  constructor(env: Env, caller: Caller) {
    this.#env = env
    this.#caller = caller
  }

  /**
   * Reads a key.
   *
   * @returns a value, siblings, or `absent`, told apart by `kind`. A missing key is not an error
   */
  get<O extends GetOptions = { readonly [none in never]: never }>(
    bucket: string,
    key: string,
    options?: O,
  ): Promise<ReadFor<O>>
  async get(bucket: string, key: string, options?: GetOptions): Promise<Read | UnchangedRead> {
    const filled = this.#caller.fill(options)
    return this.#caller.ask(readOperation('get', { bucket, key }, filled), filled, toRead)
  }

  /** What a `get` would find, without the values. */
  async head(bucket: string, key: string, options?: HeadOptions): Promise<Head> {
    const filled = this.#caller.fill(options)
    return this.#caller.ask(readOperation('head', { bucket, key }, filled), filled, toHead)
  }

  /**
   * Reads one of several siblings by its ETag.
   *
   * @throws NotFound when the key no longer has it
   */
  async getSibling(
    bucket: string,
    key: string,
    etag: string,
    options?: GetOptions,
  ): Promise<ValueRead> {
    const filled = { ...this.#caller.fill(options), sibling: etag }
    const operation = readOperation('get', { bucket, key }, filled)
    return this.#caller.ask(operation, filled, toValue)
  }

  /**
   * Writes a key. Give the `context` of the read it follows; without one the write is blind.
   *
   * Tried again by itself, always under the same idempotency key. Bytes are not copied: leave them
   * alone until the call has ended.
   *
   * @throws UnknownOutcome, ConnectionLost, DeadlineExceeded or Internal with `outcome` `unknown`
   * when the value may or may not have been written
   */
  async put(bucket: string, key: string, value: Body, options?: PutOptions): Promise<Written> {
    const filled = this.#caller.fill(options)
    const target = { bucket, key, idempotencyKey: this.#caller.nextId() }
    return this.#caller.ask(putOperation(target, value, filled), filled, toWritten)
  }

  /** Deletes a key: what the context covers, or blindly. Deleting a missing key is no error. */
  async delete(bucket: string, key: string, options?: DeleteOptions): Promise<Written> {
    const filled = this.#caller.fill(options)
    const target = { bucket, key, idempotencyKey: this.#caller.nextId() }
    return this.#caller.ask(deleteOperation(target, filled), filled, toWritten)
  }

  /**
   * The keys of a bucket in the order of their bytes. Nothing is asked before the first is wanted;
   * the options' timeout is that of one page.
   */
  list(bucket: string, options?: ListOptions): Listing {
    const filled = this.#caller.fill(options)
    return new Listing(
      async (cursor) => {
        const operation = listOperation(bucket, { ...filled, cursor })
        return this.#caller.ask(operation, filled, (answer) => toPage(answer, jsonOf(answer)))
      },
      { from: filled.cursor },
    )
  }

  /**
   * Many independent operations in few requests, in any order.
   *
   * @returns a result for each, in the order given. Never rejects because an item failed
   */
  async batch<const O extends readonly BatchOperation[]>(
    operations: O,
    options: BatchOptions = {},
  ): Promise<{ [index in keyof O]: BatchResult<O[index]> }> {
    const results = await runBatch(this.#caller, operations, options)
    return results as { [index in keyof O]: BatchResult<O[index]> }
  }

  /**
   * Reads a key, makes one value of its siblings, changes it and writes it back with the context of
   * the read. Begins again when the key changed meanwhile, at most `rounds` times.
   *
   * Not atomic: of two updates at the same moment both may be kept, as siblings that the next
   * `resolve` makes one. Nothing is lost that `resolve` does not drop.
   *
   * @param change  from the value, undefined when there is none, to the next: a body to write,
   *                `null` to delete, `undefined` to leave all as it is. May be called once in each
   *                round
   * @throws Conflict SHOAL_CLIENT_CONFLICT when every round met a change
   */
  async update(
    bucket: string,
    key: string,
    change: (current: StoredValue | undefined) => Change | Promise<Change>,
    options: UpdateOptions,
  ): Promise<Updated> {
    const steps = {
      get: (more: GetOptions) => this.get(bucket, key, more) as Promise<Read>,
      put: (value: Body, more: PutOptions) => this.put(bucket, key, value, more),
      delete: (more: DeleteOptions) => this.delete(bucket, key, more),
    }
    const timeout = this.#caller.timeoutOf(options)
    return runUpdate({ env: this.#env, steps, change }, options, timeout)
  }
}
