/** Requests made once and sent often. */
const KEYS = 20_000
const VALUE_BYTES = 1_024

const value = Buffer.alloc(
  VALUE_BYTES,
  'a value of one KiB, of text that does not compress to nothing. ',
)

const pick = <T>(items: readonly T[]): T => items[Math.floor(Math.random() * items.length)] as T

/** Without a header of ours: blind writes at the default consistency, every one of them synced. */
export function shoalPuts(): () => Buffer {
  const requests = Array.from({ length: KEYS }, (_none, key) => {
    const head = [
      `PUT /v1/kv/bench/key-${key} HTTP/1.1`,
      'Host: bench',
      'Content-Type: application/octet-stream',
      `Content-Length: ${VALUE_BYTES}`,
    ]
    return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), value])
  })
  return () => pick(requests)
}

export function shoalGets(): () => Buffer {
  const requests = Array.from({ length: KEYS }, (_none, key) =>
    Buffer.from(`GET /v1/kv/bench/key-${key} HTTP/1.1\r\nHost: bench\r\n\r\n`),
  )
  return () => pick(requests)
}

export function etcdPuts(): () => Buffer {
  const requests = Array.from({ length: KEYS }, (_none, key) => {
    const body = JSON.stringify({
      key: Buffer.from(`bench/key-${key}`).toString('base64'),
      value: value.toString('base64'),
    })
    const head = [
      'POST /v3/kv/put HTTP/1.1',
      'Host: bench',
      'Content-Type: application/json',
      `Content-Length: ${body.length}`,
    ]
    return Buffer.from(`${head.join('\r\n')}\r\n\r\n${body}`)
  })
  return () => pick(requests)
}
