/** `shoal put`. */
import { readValue } from '../data/input.ts'
import type { WritingOptions } from '../data/options.ts'
import { runWrite } from '../data/write.ts'
import type { ExitCode } from '../exit-codes.ts'
import type { Io } from '../terminal.ts'

interface Options extends WritingOptions {
  readonly file?: string
  readonly type?: string
  readonly encoding?: string
  readonly ttl?: number
}

export async function put(
  io: Io,
  bucket: string,
  key: string,
  value: string | undefined,
  options: Options,
): Promise<ExitCode> {
  const { type: contentType, encoding: contentEncoding, ttl: ttlSeconds } = options
  const about = { contentType, contentEncoding, ttlSeconds }
  const body = await readValue(io, value, options.file)
  return runWrite(io, {
    kind: 'put',
    target: { bucket, key },
    options,
    send: (client, wanted) => client.put(bucket, key, body, { ...wanted, ...about }),
  })
}
