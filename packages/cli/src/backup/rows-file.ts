/** Files of rows: compressed, with the hash of what lies on the disk. */
import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { rename, stat } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createGzip } from 'node:zlib'
import { FrameReader, FramesError, frameOf, framesBegin, framesEnd, type Row } from './frames.ts'

export interface WrittenFile {
  readonly rows: number
  readonly bytes: number
  readonly sha256: string
}

/** Under its name only when it is whole. */
export async function writeRowsFile(
  path: string,
  pages: AsyncIterable<readonly Row[]>,
): Promise<WrittenFile> {
  const hash = createHash('sha256')
  let rows = 0
  async function* frames(): AsyncGenerator<Buffer> {
    yield framesBegin()
    for await (const page of pages) {
      rows += page.length
      yield Buffer.concat(page.map(frameOf))
    }
    yield framesEnd(rows)
  }
  const hashed = async function* (pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const piece of pieces) {
      hash.update(piece)
      yield piece
    }
  }
  const part = `${path}.part`
  const file = createWriteStream(part, { flush: true })
  await pipeline(Readable.from(frames()), createGzip({ level: 6 }), hashed, file)
  await rename(part, path)
  return { rows, bytes: (await stat(path)).size, sha256: hash.digest('hex') }
}

/**
 * The rows of a file, a piece at a time.
 *
 * @throws FramesError when it is not what its manifest says; rows before the fault have been given
 */
export async function* readRowsFile(
  path: string,
  { rows, sha256 }: Pick<WrittenFile, 'rows' | 'sha256'>,
): AsyncGenerator<readonly Row[]> {
  const hash = createHash('sha256')
  const reader = new FrameReader()
  const file = createReadStream(path)
  file.on('data', (piece) => hash.update(piece))
  const unzipped = createGunzip()
  file.on('error', (error) => unzipped.destroy(error))
  file.pipe(unzipped)
  try {
    for await (const piece of unzipped) {
      const found = reader.feed(piece as Buffer)
      if (found.length > 0) yield found
    }
  } catch (error) {
    if (error instanceof FramesError) throw error
    throw new FramesError((error as Error).message)
  }
  reader.finish()
  if (hash.digest('hex') !== sha256) throw new FramesError('its SHA-256 is another')
  if (reader.rows !== rows) throw new FramesError(`it has ${reader.rows} rows instead of ${rows}`)
}
