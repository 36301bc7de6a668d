/**
 * Answers written without Node's response object, where a connection never got as far as a request.
 */
import { STATUS_CODES } from 'node:http'
import { type ShoalError, toProblem } from '@shoal/kernel'
import { headerNames, mediaTypes } from '@shoal/wire'

/** A whole HTTP answer that closes the connection. ASCII only, so its characters are its bytes. */
export function rawProblem(error: ShoalError, more: readonly string[] = []): string {
  const body = asciiJson(toProblem(error))
  const lines = [
    statusLine(error),
    `Date: ${new Date().toUTCString()}`,
    `${headerNames.contentType}: ${mediaTypes.problem}`,
    `${headerNames.contentLength}: ${body.length}`,
    `${headerNames.cacheControl}: no-store`,
    ...(error.retry === 'after' ? [`${headerNames.retryAfter}: ${retryAfterSeconds(error)}`] : []),
    ...more,
    'Connection: close',
  ]
  return `${lines.join('\r\n')}\r\n\r\n${body}`
}

export const statusLine = ({ status }: ShoalError): string =>
  `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`

/** Whole seconds, at least one. */
export const retryAfterSeconds = (error: ShoalError): number =>
  Math.max(1, Math.ceil((error.details.retryAfterMs ?? 0) / 1_000))

export const asciiJson = (value: object): string =>
  JSON.stringify(value).replace(
    /[^\x20-\x7e]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
