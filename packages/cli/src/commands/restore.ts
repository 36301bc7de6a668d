/** `shoal restore`. */
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Client } from '@shoal/client'
import { limits } from '@shoal/kernel'
import { FramesError, type Row } from '../backup/frames.ts'
import { inParallel } from '../backup/in-parallel.ts'
import {
  type BackupFile,
  idOf,
  type Manifest,
  missingBase,
  readManifest,
  rowsIn,
} from '../backup/manifest.ts'
import { forgetDone, readDone, writeDone } from '../backup/restored.ts'
import { restoreRows } from '../backup/routes.ts'
import { readRowsFile } from '../backup/rows-file.ts'
import { withClient } from '../cluster/connection.ts'
import { readCluster } from '../cluster/state.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { UsageError } from '../failure.ts'
import { Progress } from '../format/progress.ts'
import { formatCount, plural } from '../format/quantities.ts'
import type { ClusterOptions } from '../program/parts.ts'
import type { Io } from '../terminal.ts'

interface Options extends ClusterOptions {
  readonly dryRun?: true
  readonly resume?: true
}

const FILES_AT_A_TIME = 4
const PIECE_ROWS = 500
const PIECE_BYTES = 2 ** 20
const TRIES = 5
/** What buckets are is looked at by each node so often, and the look takes a moment itself. */
const BUCKETS_KNOWN_MS = limits.bucketRefresh + 1_000
const SYSTEM_PREFIX = '_shoal.'
const TOKEN_BYTES = 8

interface Part {
  readonly folder: string
  readonly backup: string
  readonly file: BackupFile & { readonly file: string }
}

export async function restore(
  io: Io,
  folders: readonly string[],
  options: Options,
): Promise<ExitCode> {
  const manifests = await Promise.all(folders.map(readManifest))
  const missing = missingBase(manifests)
  if (missing !== undefined) {
    throw new UsageError(`${missing} is missing`, 'Give all folders: the full one and those since.')
  }
  const cluster = await withClient(options, readCluster)
  const rows = manifests.reduce((sum, manifest) => sum + rowsIn(manifest), 0)
  const about = { cluster: cluster.id, nodes: cluster.nodes, rows }
  if (options.dryRun) {
    if (options.json) io.out.json({ ...about, from: manifests.map(idOf), dryRun: true })
    else io.out.lines(planLines(manifests, about))
    return exitCodes.done
  }
  const parts = manifests.flatMap((manifest, index) => partsOf(folders[index] ?? '', manifest))
  const run = new Restore(io, options, { parts, rows, cluster: cluster.id })
  return run.run()
}

function partsOf(folder: string, manifest: Manifest): Part[] {
  return manifest.files.flatMap((file) =>
    file.file === undefined
      ? []
      : [{ folder, backup: idOf(manifest), file: { ...file, file: file.file } }],
  )
}

function planLines(
  manifests: readonly Manifest[],
  { cluster, nodes, rows }: { cluster: string; nodes: number; rows: number },
): string[] {
  return [
    ...manifests.map(
      (manifest) =>
        `from ${idOf(manifest)} of cluster ${manifest.cluster}, ${manifest.begun}: ` +
        `${formatCount(rowsIn(manifest))} rows`,
    ),
    `into cluster ${cluster} of ${plural(nodes, 'node')}: ${formatCount(rows)} rows in all`,
    'nothing is overwritten: what is newer there stays, what is concurrent becomes a sibling',
    'nothing was done (--dry-run)',
  ]
}

class Restore {
  readonly #io: Io
  readonly #options: Options
  readonly #parts: readonly Part[]
  readonly #rows: number
  readonly #cluster: string
  readonly #progress: Progress
  readonly #faults: string[] = []
  #restored = 0
  #hasBuckets = false

  constructor(
    io: Io,
    options: Options,
    what: { parts: readonly Part[]; rows: number; cluster: string },
  ) {
    this.#io = io
    this.#options = options
    this.#parts = what.parts
    this.#rows = what.rows
    this.#cluster = what.cluster
    this.#progress = new Progress(io.err, 'restoring')
  }

  async run(): Promise<ExitCode> {
    const { io, options } = { io: this.#io, options: this.#options }
    if (!options.resume) await this.#forget()
    await withClient(options, (client) => this.#each(client))
    this.#progress.end()
    // Else a program that writes at once is served by the properties of a new bucket.
    if (this.#hasBuckets) await pause(BUCKETS_KNOWN_MS)
    if (this.#faults.length === 0) await this.#forget()
    if (options.json) io.out.json({ restored: this.#restored, faults: this.#faults })
    else {
      for (const fault of this.#faults) io.out.line(io.out.paint.red(fault))
      io.out.line(`restored ${formatCount(this.#restored)} rows into cluster ${this.#cluster}`)
    }
    return this.#faults.length === 0 ? exitCodes.done : exitCodes.failed
  }

  async #forget(): Promise<void> {
    for (const folder of new Set(this.#parts.map((part) => part.folder))) {
      await forgetDone(folder, this.#cluster)
    }
  }

  async #each(client: Client): Promise<void> {
    await inParallel(this.#parts, FILES_AT_A_TIME, async (part) => {
      const name = `${part.backup} ${part.file.file}`
      const done = await readDone(part.folder, this.#cluster)
      if (done.includes(name)) return
      await this.#file(client, part)
      await writeDone(part.folder, this.#cluster, name)
    })
  }

  async #file(client: Client, part: Part): Promise<void> {
    const path = join(part.folder, part.file.file)
    let piece: Row[] = []
    let bytes = 0
    const send = async (): Promise<void> => {
      if (piece.length > 0) await this.#send(client, piece, path)
      piece = []
      bytes = 0
    }
    try {
      for await (const rows of readRowsFile(path, part.file)) {
        for (const row of rows) {
          piece.push(row)
          this.#hasBuckets ||= isOfSystem(row)
          bytes += row.row.length
          if (piece.length >= PIECE_ROWS || bytes >= PIECE_BYTES) await send()
        }
      }
    } catch (error) {
      if (!(error instanceof FramesError)) throw error
      this.#faults.push(`${path}: ${error.message}`)
    }
    await send()
  }

  /** What a cluster under load or in parts refuses is tried again; what is no row is told. */
  async #send(client: Client, rows: readonly Row[], path: string): Promise<void> {
    let left = rows
    for (let attempt = 1; left.length > 0; attempt++) {
      const { restored, refused } = await restoreRows(client, left)
      this.#restored += restored
      const again = refused.filter(({ code }) => attempt < TRIES && /QUORUM|OVERLOADED/.test(code))
      for (const { index, code, detail } of refused.filter((each) => !again.includes(each))) {
        const key = left[index]?.key.subarray(TOKEN_BYTES).toString('utf8').replace('\0', '/')
        this.#faults.push(`${path}: ${key}: ${code}: ${detail}`)
      }
      left = again.flatMap(({ index }) => left[index] ?? [])
      if (left.length > 0) await pause(200 * attempt)
    }
    this.#progress.at(this.#restored, this.#rows, `${formatCount(this.#restored)} rows`)
  }
}

const isOfSystem = ({ key }: Row): boolean =>
  key.toString('latin1', TOKEN_BYTES, TOKEN_BYTES + SYSTEM_PREFIX.length) === SYSTEM_PREFIX
