/** What came back, whether as a response of its own or as one item of a batch. */
import { ShoalError } from '@shoal/kernel'

export interface Answer {
  readonly status: number
  /** Lower-case names. */
  readonly headers: { readonly [name: string]: string | string[] | undefined }
  readonly body: Buffer | string
  /** Members that an item of a batch carries parsed. */
  readonly parsed?: { readonly problem?: unknown; readonly siblings?: unknown }
}

/** A header's value, several lines joined as HTTP joins them, empty when absent. */
export function headerOf(answer: Answer, name: string): string {
  const value = answer.headers[name]
  if (value === undefined) return ''
  return typeof value === 'string' ? value : value.join(', ')
}

/** The body as JSON, or undefined when it is none. */
export function jsonOf(answer: Answer): unknown {
  try {
    return JSON.parse(answer.body.toString())
  } catch {
    return undefined
  }
}

/** The media type without its parameters, lower case. */
export const mediaTypeOf = (answer: Answer): string =>
  (headerOf(answer, 'content-type').split(';', 1)[0] ?? '').trim().toLowerCase()

export function problemOf(answer: Answer): unknown {
  if (answer.parsed?.problem !== undefined) return answer.parsed.problem
  return mediaTypeOf(answer) === 'application/problem+json' ? jsonOf(answer) : undefined
}

/** An answer with a status of success that does not hold what it should. */
export const invalidAnswer = (message: string): ShoalError =>
  new ShoalError('SHOAL_CLIENT_RESPONSE_INVALID', message)
