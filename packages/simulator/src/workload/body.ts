/**
 * The value an operation writes: its id and a line feed, over and over. So a check can tell from
 * what is stored which operation wrote it, and whether every byte is as it was written.
 */
export function bodyOf(id: string, bytes: number): Buffer {
  const line = Buffer.from(`${id}\n`, 'latin1')
  return bytes <= line.length ? line : Buffer.alloc(bytes, line)
}

/** The id of the operation that wrote a value; empty when no operation could have written it. */
export function idOfBody(body: Uint8Array): string {
  const end = body.indexOf(LINE_FEED)
  return end < 1 ? '' : Buffer.from(body.buffer, body.byteOffset, end).toString('latin1')
}

const LINE_FEED = 0x0a
