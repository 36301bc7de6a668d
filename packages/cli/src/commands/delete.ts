/** `shoal delete`. */
import type { WritingOptions } from '../data/options.ts'
import { runWrite } from '../data/write.ts'
import type { ExitCode } from '../exit-codes.ts'
import type { Io } from '../terminal.ts'

export async function remove(
  io: Io,
  bucket: string,
  key: string,
  options: WritingOptions,
): Promise<ExitCode> {
  return runWrite(io, {
    kind: 'delete',
    target: { bucket, key },
    options,
    send: (client, wanted) => client.delete(bucket, key, wanted),
  })
}
