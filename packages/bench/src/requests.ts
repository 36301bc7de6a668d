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
  const requests = Array.from({ length: KEYS }, (_none, key) => putOf('bench', key))
  return () => pick(requests)
}

/** Writes each key of the reads once, in turn; undefined when all are written. */
export function shoalPreload(): () => Buffer | undefined {
  let next = 0
  return () => (next < KEYS ? putOf('reads', next++) : undefined)
}

export function shoalGets(): () => Buffer {
  const requests = Array.from({ length: KEYS }, (_none, key) =>
    Buffer.from(`GET /v1/kv/reads/key-${key} HTTP/1.1\r\nHost: bench\r\n\r\n`),
  )
  return () => pick(requests)
}

function putOf(bucket: string, key: number): Buffer {
  const head = [
    `PUT /v1/kv/${bucket}/key-${key} HTTP/1.1`,
    'Host: bench',
    'Content-Type: application/octet-stream',
    `Content-Length: ${VALUE_BYTES}`,
  ]
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), value])
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
