/** `shoal backup`. */
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Client } from '@shoal/client'
import type { Row } from '../backup/frames.ts'
import { inParallel } from '../backup/in-parallel.ts'
import {
  type BackupFile,
  bytesIn,
  damagedIn,
  idOf,
  type Manifest,
  readManifest,
  readPartial,
  rowsIn,
  writeManifest,
  writePartial,
} from '../backup/manifest.ts'
import { readDigests, readPage } from '../backup/routes.ts'
import { writeRowsFile } from '../backup/rows-file.ts'
import { changedSegments, type SegmentRun } from '../backup/segments.ts'
import { withClient } from '../cluster/connection.ts'
import {
  beginRepair,
  type NodeState,
  readCluster,
  readJob,
  readNodes,
  readRing,
} from '../cluster/state.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { UsageError } from '../failure.ts'
import { Progress } from '../format/progress.ts'
import { formatBytes, formatCount } from '../format/quantities.ts'
import type { ClusterOptions } from '../program/parts.ts'
import type { Io } from '../terminal.ts'

interface Options extends ClusterOptions {
  readonly since?: string
  readonly repair: boolean
}

const PARTITIONS_AT_A_TIME = 4
const LOOK_EVERY_MS = 300
const SEGMENTS = 1_024

interface Source {
  readonly nodes: readonly NodeState[]
  readonly table: readonly (readonly string[])[]
}

export async function backup(io: Io, folder: string, options: Options): Promise<ExitCode> {
  const base = options.since === undefined ? undefined : await readManifest(options.since)
  const { source, begun } = await withClient(options, (client) => describe(client, base))
  const { files: earlier, ...about } = await goOn(folder, begun)
  if (options.repair) await compareFirst(io, source.nodes, options)

  const files = new Map(earlier.map((file) => [file.partition, file]))
  const progress = new Progress(io.err, 'copying')
  const manifest = (): Manifest => ({
    ...about,
    files: [...files.values()].sort((one, other) => one.partition - other.partition),
  })
  const wanted = source.table.map((_holders, partition) => partition)
  const left = wanted.filter((partition) => !files.has(partition))
  let saving = Promise.resolve()
  await inParallel(left, PARTITIONS_AT_A_TIME, async (partition) => {
    const before = base?.files.find((file) => file.partition === partition)
    files.set(partition, await copyPartition(folder, { partition, before, source, options }))
    saving = saving.then(() => writePartial(folder, manifest()))
    progress.at(files.size, wanted.length, `${formatCount(rowsIn(manifest()))} rows`)
  })
  await saving
  progress.end()
  const whole = { ...manifest(), ended: new Date().toISOString() }
  await writeManifest(folder, whole)
  tell(io, folder, whole, options)
  return damagedIn(whole) > 0 ? exitCodes.failed : exitCodes.done
}

async function describe(
  client: Client,
  base: Manifest | undefined,
): Promise<{ source: Source; begun: Manifest }> {
  const [cluster, nodes, ring] = await Promise.all([
    readCluster(client),
    readNodes(client),
    readRing(client),
  ])
  if (base && (base.cluster !== cluster.id || base.partitions !== ring.partitions)) {
    throw new UsageError(
      `the backup to go on from is of cluster ${base.cluster}, and this is ${cluster.id}`,
      'Make a full one: leave out --since.',
    )
  }
  const begun: Manifest = {
    format: 1,
    cluster: cluster.id,
    partitions: ring.partitions,
    replicas: ring.replicas,
    version: cluster.version,
    begun: new Date().toISOString(),
    ...(base ? { base: idOf(base) } : {}),
    files: [],
  }
  return { source: { nodes, table: ring.table }, begun }
}

/** A backup that was interrupted goes on where it was; anything else in the folder is refused. */
async function goOn(folder: string, begun: Manifest): Promise<Manifest> {
  await mkdir(folder, { recursive: true })
  const there = await readManifest(folder).catch(() => undefined)
  if (there) throw new UsageError(`${folder} holds a backup already`, 'Choose an empty folder.')
  const partial = await readPartial(folder)
  if (!partial) return begun
  if (partial.cluster !== begun.cluster || partial.base !== begun.base) {
    throw new UsageError(
      `${folder} holds the beginning of another backup, of cluster ${partial.cluster}`,
      'Choose an empty folder, or remove it.',
    )
  }
  return partial
}

/** So that each copy that is taken has every write that was acknowledged before. */
async function compareFirst(
  io: Io,
  nodes: readonly NodeState[],
  options: ClusterOptions,
): Promise<void> {
  const progress = new Progress(io.err, 'comparing copies')
  const down = nodes.filter(({ state }) => state === 'down').map(({ id }) => id)
  if (down.length > 0) {
    const text = `${down.join(', ')} cannot be reached: what only they have is not in this backup`
    io.err.line(io.err.paint.yellow(text))
  }
  const shares = new Map<string, number>()
  await Promise.all(
    nodes
      .filter(({ id }) => !down.includes(id))
      .map(({ id, url }) =>
        withClient({ ...options, url }, async (client) => {
          let job = await beginRepair(client, {})
          while (job.state === 'running' || job.state === 'paused') {
            await pause(LOOK_EVERY_MS)
            job = await readJob(client, job.id)
            shares.set(id, job.progress)
            const sum = [...shares.values()].reduce((one, other) => one + other, 0)
            progress.at(sum, nodes.length - down.length)
          }
          if (job.state === 'failed') io.err.line(io.err.paint.yellow(`${id}: ${job.detail}`))
        }),
      ),
  )
  progress.end()
}

interface PartitionPlan {
  readonly partition: number
  readonly before: BackupFile | undefined
  readonly source: Source
  readonly options: ClusterOptions
}

/** From the first of its holders that can give all of it. */
async function copyPartition(folder: string, plan: PartitionPlan): Promise<BackupFile> {
  const { partition, source, options } = plan
  const holders = source.table[partition] ?? []
  const order = holders.flatMap((id) => source.nodes.filter((node) => node.id === id))
  const reachable = order.filter(({ state }) => state !== 'down')
  let best: BackupFile | undefined
  let failure: unknown = new UsageError(`no holder of partition ${partition} can be reached`)
  for (const { id, url } of reachable) {
    try {
      const copy = await withClient({ ...options, url }, (client) =>
        copyFrom(client, id, folder, plan),
      )
      if (copy.damaged === 0) return copy
      best = copy
    } catch (error) {
      failure = error
    }
  }
  if (!best) throw failure
  return best
}

async function copyFrom(
  client: Client,
  node: string,
  folder: string,
  { partition, before }: PartitionPlan,
): Promise<BackupFile> {
  // Before the rows: what is written meanwhile is taken twice, and never left out.
  const digests = await readDigests(client, partition)
  const runs = before
    ? changedSegments(Buffer.from(before.digests, 'base64'), digests)
    : [{ from: 0, to: SEGMENTS }]
  const about = { partition, node, digests: digests.toString('base64') }
  if (runs.length === 0) return { ...about, rows: 0, bytes: 0, sha256: '', damaged: 0 }
  const file = `partition-${String(partition).padStart(4, '0')}.rows.gz`
  const found = { damaged: 0 }
  const written = await writeRowsFile(join(folder, file), pagesOf(client, partition, runs, found))
  if (written.rows > 0) return { ...about, file, ...written, damaged: found.damaged }
  await rm(join(folder, file))
  return { ...about, rows: 0, bytes: 0, sha256: '', damaged: found.damaged }
}

async function* pagesOf(
  client: Client,
  partition: number,
  runs: readonly SegmentRun[],
  found: { damaged: number },
): AsyncGenerator<readonly Row[]> {
  for (const run of runs) {
    let after: string | undefined
    do {
      const page = await readPage(client, partition, { ...run, after })
      found.damaged += page.damaged
      yield page.rows
      after = page.after
    } while (after !== undefined)
  }
}

function tell({ out }: Io, folder: string, manifest: Manifest, options: Options): void {
  const [rows, bytes, damaged] = [rowsIn(manifest), bytesIn(manifest), damagedIn(manifest)]
  const { base, cluster, partitions } = manifest
  if (options.json) {
    return out.json({ folder, id: idOf(manifest), cluster, base, partitions, rows, bytes, damaged })
  }
  const kind = base === undefined ? 'full' : `since ${base}`
  out.line(
    `backup ${idOf(manifest)} (${kind}) of cluster ${cluster} in ${folder}: ` +
      `${formatCount(rows)} rows, ${formatBytes(bytes)}`,
  )
  if (damaged > 0) {
    out.line(out.paint.red(`${formatCount(damaged)} rows are damaged on every replica and missing`))
  }
}
