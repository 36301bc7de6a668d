/**
 * What a call gives back. A read is a union told apart by `kind`, so that a program does not
 * compile until it has said what it does with siblings.
 */
import { ShoalError } from '@shoal/kernel'
import { type Answer, headerOf, invalidAnswer } from '../core/answer.ts'
import { headers } from '../core/headers.ts'
import { parseReceipt, type Receipt } from '../core/receipt.ts'
import { siblingsOf } from './siblings.ts'
import { StoredValue } from './value.ts'

/** What every answer about a key carries. */
export interface AnswerInfo {
  /**
   * Opaque: what this answer has shown of the key's history. Give it to the write that follows, so
   * that the write replaces exactly what was seen. Empty when the server sent none.
   */
  readonly context: string
  /** The consistency the server used, normalised: `quorum;r=2;w=2;durable=2`. */
  readonly consistency: string
  /** What stood behind the answer; undefined when it carried no receipt. */
  readonly receipt: Receipt | undefined
  readonly requestId: string
  /** For `GET /v1/traces/{id}`; only after `explain: true`. */
  readonly traceId: string | undefined
  /** URL of the node that answered. */
  readonly node: string
}

/** One value. */
export interface ValueRead extends AnswerInfo {
  readonly kind: 'value'
  readonly value: StoredValue
  readonly etag: string
  /**
   * How many values the key really has: above 1 only where the server picked one, because the call
   * said `siblings: 'resolve'`. Writing with this answer's context then replaces the others too.
   */
  readonly siblings: number
}

/** Two or more values that were written without knowledge of each other. */
export interface SiblingsRead extends AnswerInfo {
  readonly kind: 'siblings'
  readonly siblings: readonly StoredValue[]
  readonly etag: string
}

/** No value. The context still matters: a deleted key has one. */
export interface AbsentRead extends AnswerInfo {
  readonly kind: 'absent'
}

/** The key still is what `ifNoneMatch` named. */
export interface UnchangedRead extends AnswerInfo {
  readonly kind: 'unchanged'
  readonly etag: string
}

export type Read = ValueRead | SiblingsRead | AbsentRead

/** What a HEAD tells. */
export type Head =
  | (AnswerInfo & {
      readonly kind: 'value'
      readonly etag: string
      readonly contentType: string
      /** Bytes; undefined when the server did not tell. */
      readonly size: number | undefined
      readonly modified: Date | undefined
    })
  | (AnswerInfo & { readonly kind: 'siblings'; readonly etag: string })
  | AbsentRead
  | UnchangedRead

/** A write that was done. */
export interface Written extends AnswerInfo {
  /** Over all values the key has now, siblings included; empty when none is left. */
  readonly etag: string
  /** The hybrid clock's time of the write; undefined when the answer did not tell. */
  readonly modified: Date | undefined
  /**
   * How many values the key has now: above 1 when others were written meanwhile and stay as
   * siblings. Undefined when the answer did not tell; that of a batch does not.
   */
  readonly siblings: number | undefined
}

/** Fields on demand: most callers never look at the receipt. */
class Info implements AnswerInfo {
  readonly #answer: Answer
  readonly node: string

  constructor(answer: Answer, node: string) {
    this.#answer = answer
    this.node = node
  }

  get context(): string {
    return headerOf(this.#answer, headers.causalContext)
  }

  get consistency(): string {
    return headerOf(this.#answer, headers.consistency)
  }

  get receipt(): Receipt | undefined {
    const text = headerOf(this.#answer, headers.receipt)
    return text === '' ? undefined : parseReceipt(text)
  }

  get requestId(): string {
    return headerOf(this.#answer, headers.requestId)
  }

  get traceId(): string | undefined {
    return headerOf(this.#answer, headers.traceId) || undefined
  }

  get etag(): string {
    return headerOf(this.#answer, headers.etag)
  }

  protected get lastModified(): Date | undefined {
    const date = new Date(headerOf(this.#answer, headers.lastModified))
    return Number.isNaN(date.getTime()) ? undefined : date
  }
}

class OneValue extends Info implements ValueRead {
  readonly kind = 'value'
  readonly value: StoredValue
  readonly siblings: number

  constructor(answer: Answer, node: string, value: StoredValue, siblings: number) {
    super(answer, node)
    this.value = value
    this.siblings = siblings
  }
}

class ManyValues extends Info implements SiblingsRead {
  readonly kind = 'siblings'
  readonly siblings: readonly StoredValue[]

  constructor(answer: Answer, node: string, siblings: readonly StoredValue[]) {
    super(answer, node)
    this.siblings = siblings
  }
}

class NoValue extends Info implements AbsentRead {
  readonly kind = 'absent'
}

class SameValue extends Info implements UnchangedRead {
  readonly kind = 'unchanged'
}

class Done extends Info implements Written {
  readonly siblings: number | undefined

  constructor(answer: Answer, node: string) {
    super(answer, node)
    const told = headerOf(answer, headers.siblings)
    this.siblings = told === '' ? undefined : countOf(answer)
  }

  get modified(): Date | undefined {
    return this.lastModified
  }
}

class HeadOfValue extends Info {
  readonly kind = 'value'
  readonly contentType: string
  readonly size: number | undefined

  constructor(answer: Answer, node: string) {
    super(answer, node)
    this.contentType = headerOf(answer, headers.contentType)
    const length = headerOf(answer, 'content-length')
    this.size = /^\d+$/.test(length) ? Number(length) : undefined
  }

  get modified(): Date | undefined {
    return this.lastModified
  }
}

class HeadOfSiblings extends Info {
  readonly kind = 'siblings'
}

/** @throws SHOAL_CLIENT_RESPONSE_INVALID */
export function toRead(answer: Answer, node: string): Read | UnchangedRead {
  switch (answer.status) {
    case 200:
      return new OneValue(answer, node, onlyValue(answer), countOf(answer))
    case 300: {
      const siblings = siblingsOf(answer)
      const [first] = siblings
      return siblings.length === 1 && first !== undefined
        ? new OneValue(answer, node, first, 1)
        : new ManyValues(answer, node, siblings)
    }
    case 304:
      return new SameValue(answer, node)
    case 404:
      return new NoValue(answer, node)
    default:
      throw invalidAnswer(`a read was answered with ${answer.status}`)
  }
}

/**
 * For a read of one sibling.
 *
 * @throws SHOAL_SIBLING_NOT_FOUND when the whole key is gone
 */
export function toValue(answer: Answer, node: string): ValueRead {
  const read = toRead(answer, node)
  if (read.kind === 'value') return read
  throw new ShoalError('SHOAL_SIBLING_NOT_FOUND', 'the key no longer has this sibling')
}

const onlyValue = (answer: Answer): StoredValue =>
  new StoredValue({
    data: answer.body,
    contentType: headerOf(answer, headers.contentType),
    contentEncoding: headerOf(answer, headers.contentEncoding),
    etag: headerOf(answer, headers.etag),
    modified: headerOf(answer, headers.lastModified),
  })

function countOf(answer: Answer): number {
  const count = Number(headerOf(answer, headers.siblings))
  return Number.isSafeInteger(count) && count > 1 ? count : 1
}

/** @throws SHOAL_CLIENT_RESPONSE_INVALID */
export function toHead(answer: Answer, node: string): Head {
  switch (answer.status) {
    case 200:
      return new HeadOfValue(answer, node)
    case 300:
      return new HeadOfSiblings(answer, node)
    case 304:
      return new SameValue(answer, node)
    case 404:
      return new NoValue(answer, node)
    default:
      throw invalidAnswer(`a HEAD was answered with ${answer.status}`)
  }
}

/** @throws SHOAL_CLIENT_RESPONSE_INVALID */
export function toWritten(answer: Answer, node: string): Written {
  if (answer.status !== 204 && answer.status !== 200) {
    throw invalidAnswer(`a write was answered with ${answer.status}`)
  }
  return new Done(answer, node)
}

export interface Page {
  /** In the order of their UTF-8 bytes. */
  readonly keys: readonly string[]
  /** Continues the listing; undefined at its end. */
  readonly cursor: string | undefined
  readonly consistency: string
}

/** @throws SHOAL_CLIENT_RESPONSE_INVALID */
export function toPage(answer: Answer, parsed: unknown): Page {
  const { keys, cursor } = (parsed ?? {}) as { keys?: unknown; cursor?: unknown }
  if (!Array.isArray(keys) || !keys.every((key) => typeof key === 'string')) {
    throw invalidAnswer('a page holds no list of keys')
  }
  return {
    keys,
    cursor: typeof cursor === 'string' && cursor !== '' ? cursor : undefined,
    consistency: headerOf(answer, headers.consistency),
  }
}
