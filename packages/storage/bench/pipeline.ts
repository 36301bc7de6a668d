/**
 * What the bare store costs: groups of writes as a replica makes them, one group at a time. For
 * each group the versions are read, then one batch is written (row, version, and one record of the
 * digest journal) and synced.
 *
 *     node dist/bench/pipeline.js [OPERATIONS] [GROUP SIZE ...]
 */
import { randomFillSync } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSystemEnv, nodeId } from '@shoal/kernel'
import { makeRowKey, rowKeyName } from '@shoal/ring'
import { openRocksStore } from '../src/rocksdb/rocks-store.ts'
import { encodeRow } from '../src/row/row.ts'
import { encodeStoredVersion } from '../src/row/stored-version.ts'
import type { Store } from '../src/store.ts'

export interface PipelineFigure {
  /** Rows in each group. */
  readonly group: number
  readonly operations: number
  /** Of all threads: those of Node and those of RocksDB. */
  readonly cpuMicrosPerOperation: number
  readonly operationsPerSecond: number
  /** Time of one group from its read to the end of its sync. */
  readonly groupMillisMedian: number
  readonly groupMillisP99: number
}

export interface PipelineOptions {
  readonly groups?: readonly number[]
  /** For each size of group. Groups of one are given a tenth, as they are that slow. */
  readonly operations?: number
  readonly keys?: number
  /** Whether each group reads its versions from the store first. Default true. */
  readonly readVersions?: boolean
  /** Where the database is made. Default: the system's folder for temporary files. */
  readonly directory?: string
}

const BODY_BYTES = 1_024
const JOURNAL_BYTES_FOR_EACH_ROW = 12
const JOURNAL_RECORDS_KEPT = 1_000
const noise = randomFillSync(Buffer.alloc(4 * 1_048_576))
const clock = clockOf(3)

/** A clock of so many actors, without extras. */
function clockOf(actors: number): Buffer {
  const bytes = Buffer.alloc(4 + 16 * actors)
  bytes.writeUInt16BE(actors, 0)
  for (let actor = 0; actor < actors; actor++)
    bytes.fill(actor + 1, 4 + 16 * actor, 12 + 16 * actor)
  return bytes
}

export async function benchPipeline(options: PipelineOptions = {}): Promise<PipelineFigure[]> {
  const {
    groups = [1, 13, 26, 128],
    operations = 100_000,
    keys = 100_000,
    readVersions = true,
  } = options
  const figures: PipelineFigure[] = []
  for (const group of groups) {
    const folder = mkdtempSync(join(options.directory ?? tmpdir(), 'shoal-bench-'))
    const env = createSystemEnv((reason) => {
      throw reason
    })
    const store = await openRocksStore({
      env,
      directory: folder,
      cluster: 'bench',
      node: nodeId('bench'),
    })
    try {
      await run(store, { group, keys, readVersions, operations: Math.min(operations / 10, 2_000) })
      figures.push(
        await run(store, {
          group,
          keys,
          readVersions,
          operations: group === 1 ? operations / 10 : operations,
        }),
      )
    } finally {
      await store.close()
      rmSync(folder, { recursive: true })
    }
  }
  return figures
}

async function run(
  store: Store,
  {
    group,
    keys,
    operations,
    readVersions,
  }: { group: number; keys: number; operations: number; readVersions: boolean },
): Promise<PipelineFigure> {
  const groups = Math.ceil(operations / group)
  const batch = store.batch()
  const journal = noise.subarray(0, 10 + JOURNAL_BYTES_FOR_EACH_ROW * group)
  const millis: number[] = []
  const started = performance.now()
  const cpu = process.cpuUsage()
  for (let number = 0; number < groups; number++) {
    const before = performance.now()
    const rowKeys = Array.from({ length: group }, () => keyOf(Math.floor(Math.random() * keys)))
    if (readVersions) await store.getMany('versions', rowKeys.map(rowKeyName))
    for (const rowKey of rowKeys) putRow(batch, rowKey, number)
    batch.put('digests', numbered(number), journal)
    batch.delete('digests', numbered(number - JOURNAL_RECORDS_KEPT))
    store.write(batch)
    batch.clear()
    await store.sync()
    millis.push(performance.now() - before)
  }
  const { user, system } = process.cpuUsage(cpu)
  millis.sort((left, right) => left - right)
  const at = (share: number): number => millis[Math.floor(share * (millis.length - 1))] as number
  return {
    group,
    operations: groups * group,
    cpuMicrosPerOperation: (user + system) / (groups * group),
    operationsPerSecond: (groups * group * 1_000) / (performance.now() - started),
    groupMillisMedian: at(0.5),
    groupMillisP99: at(0.99),
  }
}

function keyOf(number: number): Buffer {
  return makeRowKey('bench', `key-${String(number).padStart(9, '0')}`)
}

function putRow(batch: ReturnType<Store['batch']>, rowKey: Buffer, number: number): void {
  const token = rowKey.readBigUInt64BE(0)
  const from = (number * 7_919) % (noise.length - BODY_BYTES)
  const header = Buffer.alloc(41)
  header[7] = 1
  header.writeUInt32BE(number + 1, 12)
  const value = {
    header,
    contentType: 'application/octet-stream',
    contentEncoding: '',
    body: noise.subarray(from, from + BODY_BYTES),
  }
  batch.put('rows', rowKey, encodeRow(clock, [value], token))
  const version = Buffer.concat([clock, Buffer.of(0, 1), header])
  batch.put('versions', rowKeyName(rowKey), encodeStoredVersion(version, token))
}

function numbered(number: number): Buffer {
  const key = Buffer.alloc(8)
  key.writeInt32BE(number, 4)
  return key
}

export function formatPipeline(figures: readonly PipelineFigure[]): string {
  const rows = figures.map((figure) => [
    String(figure.group),
    figure.cpuMicrosPerOperation.toFixed(1),
    figure.operationsPerSecond.toFixed(0),
    figure.groupMillisMedian.toFixed(2),
    figure.groupMillisP99.toFixed(2),
  ])
  const head = ['rows in a group', 'CPU us for each', 'rows/s', 'group ms p50', 'p99']
  const widths = head.map((name, column) =>
    Math.max(name.length, ...rows.map((row) => (row[column] as string).length)),
  )
  const lines = [head, ...rows].map((row) =>
    row.map((cell, column) => cell.padStart(widths[column] as number)).join('  '),
  )
  return `${lines.join('\n')}\n`
}

if (process.argv[1] === import.meta.filename) {
  const [operations = 100_000, ...groups] = process.argv.slice(2).map(Number)
  const figures = await benchPipeline({ operations, ...(groups.length > 0 ? { groups } : {}) })
  process.stdout.write(formatPipeline(figures))
}
