/** What a backup consists of. Written last, so that a folder without one is not a whole backup. */
import { createHash } from 'node:crypto'
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { UsageError } from '../failure.ts'

export interface BackupFile {
  readonly partition: number
  /** Absent where nothing had changed since the base. */
  readonly file?: string
  readonly rows: number
  /** Of the file as it lies there. */
  readonly bytes: number
  readonly sha256: string
  /** Where the rows are from. */
  readonly node: string
  /** Rows that no replica could give whole. */
  readonly damaged: number
  /** Of 1,024 segments, 8 bytes each, in base64: the next backup takes what differs from them. */
  readonly digests: string
}

export interface Manifest {
  readonly format: 1
  readonly cluster: string
  readonly partitions: number
  readonly replicas: number
  readonly version: string
  readonly begun: string
  readonly ended?: string
  /** The backup that this one goes on from. */
  readonly base?: string
  readonly files: readonly BackupFile[]
}

export const MANIFEST = 'manifest.json'
export const PARTIAL = 'manifest.partial.json'

/** Names a backup by what is in it. */
export const idOf = (manifest: Manifest): string =>
  createHash('sha256').update(JSON.stringify(manifest)).digest('hex').slice(0, 16)

export const rowsIn = ({ files }: Manifest): number =>
  files.reduce((sum, { rows }) => sum + rows, 0)

export const bytesIn = ({ files }: Manifest): number =>
  files.reduce((sum, { bytes }) => sum + bytes, 0)

export const damagedIn = ({ files }: Manifest): number =>
  files.reduce((sum, { damaged }) => sum + damaged, 0)

/** @throws UsageError when the folder holds no whole backup that we can read */
export async function readManifest(folder: string): Promise<Manifest> {
  const manifest = await readIfThere(join(folder, MANIFEST))
  if (manifest === undefined) {
    const begun = await readIfThere(join(folder, PARTIAL))
    throw new UsageError(
      `${folder} holds no whole backup`,
      begun === undefined ? '' : 'One was begun there: the same shoal backup goes on with it.',
    )
  }
  return manifest
}

/** Of a backup that was begun and not ended. */
export const readPartial = (folder: string): Promise<Manifest | undefined> =>
  readIfThere(join(folder, PARTIAL))

export async function writePartial(folder: string, manifest: Manifest): Promise<void> {
  await replaceFile(join(folder, PARTIAL), manifest)
}

export async function writeManifest(folder: string, manifest: Manifest): Promise<void> {
  await replaceFile(join(folder, MANIFEST), manifest)
  await rm(join(folder, PARTIAL), { force: true })
}

async function replaceFile(path: string, manifest: Manifest): Promise<void> {
  await writeFile(`${path}.new`, `${JSON.stringify(manifest)}\n`, { flush: true })
  await rename(`${path}.new`, path)
}

async function readIfThere(path: string): Promise<Manifest | undefined> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new UsageError(`${path} cannot be read: ${(error as Error).message}`)
  }
  const manifest = parse(text)
  if (manifest?.format !== 1 || !Array.isArray(manifest.files)) {
    throw new UsageError(`${path} is no manifest of a backup, or one of a newer version`)
  }
  return manifest
}

function parse(text: string): Manifest | undefined {
  try {
    return JSON.parse(text) as Manifest
  } catch {
    return undefined
  }
}

/**
 * What is missing for these backups, together, to be all that was: the first must be a full one,
 * and each base be there. Undefined when nothing is.
 */
export function missingBase(manifests: readonly Manifest[]): string | undefined {
  const ids = new Set(manifests.map(idOf))
  if (manifests.every(({ base }) => base !== undefined)) return 'a full backup'
  const base = manifests.map((each) => each.base).find((each) => each && !ids.has(each))
  return base && `the backup ${base}`
}
