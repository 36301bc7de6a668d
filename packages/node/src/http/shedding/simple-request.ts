/**
 * Requests so plain that nothing but their first line and the length of their body has to be known
 * to refuse them. Whatever is unusual in any way is left to Node's parser, which knows all of HTTP;
 * what is called simple here, it reads in the same way.
 */
export interface SimpleRequest {
  readonly operation: 'get' | 'put' | 'delete'
  /** Of request line and headers, with the empty line behind them. */
  readonly headBytes: number
  /** As declared. */
  readonly bodyBytes: number
}

/** A read or write of one key, with whole lines and sound header names. Matched in linear time. */
const simpleHead = new RegExp(
  [
    String.raw`^(?:GET|PUT|DELETE) /v1/kv/[!-.0->@-~]+/[!-~]+ HTTP/1\.1\r\n`,
    String.raw`(?:[-\w!#$%&'*+.^|~\x60]+:[\t -~\x80-\xff]*\r\n)+\r\n$`,
  ].join(''),
)
/** These change where the message ends, or what becomes of the connection behind it. */
const unusual = ['\r\ntransfer-encoding:', '\r\nexpect:', '\r\nupgrade:']
const CONNECTION = '\r\nconnection:'
const CONTENT_LENGTH = '\r\ncontent-length:'
const LENGTH_DIGITS_MAX = 9
/** Of a usual client it is a few hundred. */
const HEAD_BYTES_MAX = 4_096

/** Undefined: not simple, or its head has not come as a whole. */
export function readSimpleRequest(chunk: Buffer): SimpleRequest | undefined {
  const first = chunk[0]
  if (first !== P && first !== G && first !== D) return undefined
  const end = chunk.indexOf('\r\n\r\n', 0, 'latin1')
  if (end < 0 || end > HEAD_BYTES_MAX) return undefined
  const headBytes = end + 4
  const head = chunk.toString('latin1', 0, headBytes)
  if (!simpleHead.test(head)) return undefined
  const lower = head.toLowerCase()
  if (!lower.includes('\r\nhost:') || unusual.some((name) => lower.includes(name))) return undefined
  const connection = headerOf(lower, CONNECTION)
  if (connection !== undefined && connection !== 'keep-alive') return undefined
  const length = headerOf(lower, CONTENT_LENGTH)
  const bodyBytes = length === undefined ? 0 : bytesOf(length)
  if (bodyBytes === undefined) return undefined
  return { operation: operationOf[first], headBytes, bodyBytes }
}

const [P, G, D] = [0x50, 0x47, 0x44] as const
const operationOf = { [P]: 'put', [G]: 'get', [D]: 'delete' } as const

/** Empty when the header is there more than once. */
function headerOf(lower: string, name: string): string | undefined {
  const at = lower.indexOf(name)
  if (at < 0) return undefined
  const from = at + name.length
  if (lower.includes(name, from)) return ''
  return lower.slice(from, lower.indexOf('\r', from)).trim()
}

const digits = /^\d+$/

const bytesOf = (text: string): number | undefined =>
  text.length <= LENGTH_DIGITS_MAX && digits.test(text) ? Number(text) : undefined
