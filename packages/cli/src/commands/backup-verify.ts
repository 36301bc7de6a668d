/** `shoal backup verify`. */
import { join } from 'node:path'
import { checkRowKey } from '@shoal/ring'
import { verifyRow } from '@shoal/storage'
import { FramesError } from '../backup/frames.ts'
import { bytesIn, damagedIn, idOf, readManifest, rowsIn } from '../backup/manifest.ts'
import { readRowsFile } from '../backup/rows-file.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { Progress } from '../format/progress.ts'
import { formatBytes, formatCount } from '../format/quantities.ts'
import type { Io } from '../terminal.ts'

/** Reads all of it: hashes of files, their form, the checksums of every row. */
export async function verifyBackup(
  io: Io,
  folder: string,
  options: { readonly json?: true },
): Promise<ExitCode> {
  const manifest = await readManifest(folder)
  const progress = new Progress(io.err, 'checking')
  const faults: string[] = []
  let checked = 0
  for (const each of manifest.files) {
    const { file } = each
    if (file !== undefined) {
      try {
        for await (const rows of readRowsFile(join(folder, file), each)) {
          const bad = rows.filter(
            ({ key, row }) => !checkRowKey(key) || verifyRow(row, key.readBigUInt64BE(0)) !== 'ok',
          )
          if (bad.length > 0) faults.push(`${file}: ${bad.length} rows fail their checksums`)
        }
      } catch (error) {
        if (!(error instanceof FramesError)) throw error
        faults.push(`${file}: ${error.message}`)
      }
    }
    progress.at(++checked, manifest.files.length)
  }
  progress.end()
  const [rows, bytes, damaged] = [rowsIn(manifest), bytesIn(manifest), damagedIn(manifest)]
  if (options.json) io.out.json({ id: idOf(manifest), rows, bytes, damaged, faults })
  else {
    for (const fault of faults) io.out.line(io.out.paint.red(fault))
    const verdict = faults.length === 0 ? 'whole' : 'damaged'
    const size = `${formatCount(rows)} rows, ${formatBytes(bytes)}`
    const base = manifest.base === undefined ? '' : `, needs ${manifest.base}`
    io.out.line(`backup ${idOf(manifest)} is ${verdict}: ${size}${base}`)
  }
  return faults.length === 0 ? exitCodes.done : exitCodes.failed
}
