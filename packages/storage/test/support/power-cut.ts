import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { createSeededRandom, kibibytes, type Random } from '@shoal/kernel'
import { openRocksStore, openRocksStoreWith } from '../../src/rocksdb/rocks-store.ts'
import { defaultSizes } from '../../src/rocksdb/settings.ts'
import type { Store } from '../../src/store.ts'
import { storeOptions, temporaryFolder } from './place.ts'

/**
 * Power cuts without a power switch. While a store is written to, copies of its directory are made
 * that hold what a cut at that moment could leave:
 *
 * - a log keeps the bytes that the store has synced, and a random part of those behind them, some
 *   of it zeros, because pages reach the disk in any order;
 * - a log whose name was not synced in the directory may be gone;
 * - tables and the manifest are as they are, because RocksDB syncs a table before it names it in
 *   the manifest, and syncs the manifest before it deletes what that makes needless;
 * - a log that was full before the manifest last grew is whole: with more than one column RocksDB
 *   syncs such logs, and the directory, before it makes a table.
 *
 * Each copy is opened, and every row that had been acknowledged must be in it.
 */
export interface PowerCuts {
  readonly cuts: number
  readonly seed: string
  readonly rotationRule?: boolean
}

export interface PowerCutResult {
  cuts: number
  rotations: number
  batches: number
  acknowledged: number
  /** Cuts after which something acknowledged was missing. */
  lossy: number
  /** Batches of which only a part was there. */
  torn: number
  /** Cuts after which a batch was missing and a later one was not. */
  holes: number
}

const CUTS_FOR_EACH_STORE = 15
/** Memtables of 64 KiB: a new log after every few dozen batches. */
const sizes = {
  ...defaultSizes,
  rows: { cacheBytes: kibibytes(256), memtableBytes: kibibytes(256) },
  versions: { cacheBytes: kibibytes(256), memtableBytes: kibibytes(256) },
}

export async function cutPower(settings: PowerCuts): Promise<PowerCutResult> {
  const random = createSeededRandom(settings.seed)
  const result = { cuts: 0, rotations: 0, batches: 0, acknowledged: 0, lossy: 0, torn: 0, holes: 0 }
  while (result.cuts < settings.cuts) {
    const folder = await temporaryFolder()
    try {
      await oneStore(folder.path, settings, random, result)
    } finally {
      await folder.remove()
    }
  }
  return result
}

async function oneStore(
  folder: string,
  settings: PowerCuts,
  random: Random,
  result: PowerCutResult,
): Promise<void> {
  const directory = join(folder, 'live')
  const platter = new Platter(join(directory, 'rocksdb'))
  const store = await openRocksStoreWith(storeOptions(directory), {
    sizes,
    ...(settings.rotationRule === undefined ? {} : { rotationRule: settings.rotationRule }),
    synced: (files, named) => platter.synced(files, named),
  })
  const writer = new Writer(store, platter, random)
  for (let cut = 0; cut < CUTS_FOR_EACH_STORE && result.cuts < settings.cuts; cut++) {
    for (let batches = 1 + random.below(120); batches > 0; batches--) await writer.step()
    const acknowledged = writer.acknowledged
    const copy = mkdtempSync(join(folder, 'cut-'))
    platter.cut(copy, random)
    copyFileSync(join(directory, 'SHOAL'), join(copy, 'SHOAL'))
    const found = await inspect(copy, writer.written)
    rmSync(copy, { recursive: true })
    result.cuts++
    if (found.first > 0 && found.first <= acknowledged) result.lossy++
    if (found.hole) result.holes++
    result.torn += found.torn
  }
  result.rotations += platter.rotations
  result.batches += writer.written
  result.acknowledged += writer.acknowledged
  await store.close()
}

/** Writes numbered batches and lets syncs, several at a time, run behind. */
class Writer {
  readonly #store: Store
  readonly #platter: Platter
  readonly #random: Random
  readonly #syncs = new Set<Promise<void>>()
  written = 0
  acknowledged = 0

  constructor(store: Store, platter: Platter, random: Random) {
    this.#store = store
    this.#platter = platter
    this.#random = random
  }

  async step(): Promise<void> {
    const number = ++this.written
    const batch = this.#store.batch()
    for (const [index, key] of keysOf(number).entries()) {
      batch.put('rows', key, Buffer.alloc(200 + this.#random.below(2_000), number & 0xff))
      batch.put('versions', key, Buffer.alloc(60, index))
    }
    this.#platter.around(() => this.#store.write(batch))
    if (this.#random.below(3) > 0) {
      const sync = this.#store.sync().then(() => {
        this.acknowledged = Math.max(this.acknowledged, number)
        this.#syncs.delete(sync)
      })
      this.#syncs.add(sync)
    }
    const patience = this.#random.below(4)
    if (this.#syncs.size > patience) await Promise.race(this.#syncs)
    else if (patience > 1) await new Promise((resolve) => setImmediate(resolve))
  }
}

const keysOf = (number: number): Buffer[] =>
  Array.from({ length: 1 + (number % 3) }, (_none, index) => Buffer.from(`${number}/${index}`))

/** What of a RocksDB directory has reached the disk for good. */
class Platter {
  readonly #directory: string
  readonly #durable = new Map<string, number>()
  readonly #named = new Set<string>()
  /** Full logs, with the state of the manifest shortly before they were full. */
  readonly #full = new Map<string, string>()
  #live = ''
  rotations = 0

  constructor(directory: string) {
    this.#directory = directory
  }

  synced(files: readonly { name: string; bytes: number }[], directory: boolean): void {
    for (const { name, bytes } of files) {
      this.#durable.set(name, bytes)
      if (directory) this.#named.add(name)
    }
  }

  /** Notes which logs a write leaves full, with the manifest as it was before that write. */
  around(write: () => void): void {
    const manifest = this.#manifest()
    write()
    const live = logsOf(readdirSync(this.#directory)).at(-1) as string
    if (this.#live === live) return
    if (this.#live !== '') {
      this.#full.set(this.#live, manifest)
      this.rotations++
    }
    this.#live = live
  }

  cut(target: string, random: Random): void {
    const folder = join(target, 'rocksdb')
    // Background threads go on making and deleting files: only a copy of one moment will do.
    while (!this.#tryCut(folder, random)) rmSync(folder, { recursive: true, force: true })
  }

  #tryCut(folder: string, random: Random): boolean {
    mkdirSync(folder)
    const before = this.#manifest()
    const names = readdirSync(this.#directory).filter((name) => name !== 'LOCK')
    try {
      for (const name of names) {
        const from = join(this.#directory, name)
        const to = join(folder, name)
        if (name.endsWith('.sst')) linkSync(from, to)
        else if (name.endsWith('.log')) this.#cutLog(name, to, random)
        else copyFileSync(from, to)
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
      throw error
    }
    const after = readdirSync(this.#directory).filter((name) => name !== 'LOCK')
    return this.#manifest() === before && after.join() === names.join()
  }

  #cutLog(name: string, to: string, random: Random): void {
    const fullSince = this.#full.get(name)
    const isSyncedByRocks = fullSince !== undefined && fullSince !== this.#manifest()
    if (!this.#named.has(name) && !isSyncedByRocks && random.below(2) === 0) return
    const bytes = readFileSync(join(this.#directory, name))
    const durable = isSyncedByRocks ? bytes.length : (this.#durable.get(name) ?? 0)
    const rest = bytes.length - durable
    const kept =
      durable + [0, rest, random.below(rest + 1), random.below(rest + 1)][random.below(4)]!
    if (kept > durable && random.below(3) === 0) {
      const from = durable + random.below(kept - durable)
      bytes.fill(0, from, Math.min(kept, from + 4_096))
    }
    writeFileSync(to, bytes.subarray(0, kept))
  }

  #manifest(): string {
    const current = readFileSync(join(this.#directory, 'CURRENT'), 'utf8').trim()
    const path = join(this.#directory, current)
    return existsSync(path) ? `${current} ${statSync(path).size}` : 'changing'
  }
}

const logsOf = (names: readonly string[]): string[] =>
  names.filter((name) => name.endsWith('.log')).sort()

/** Opens a copy. `first` is the first batch that is not whole, 0 when all are. */
async function inspect(
  directory: string,
  written: number,
): Promise<{ first: number; torn: number; hole: boolean }> {
  const store = await openRocksStore(storeOptions(directory))
  let first = 0
  let torn = 0
  let hole = false
  for (let from = 1; from <= written; from += 500) {
    const numbers = Array.from(
      { length: Math.min(500, written - from + 1) },
      (_n, index) => from + index,
    )
    const keys = numbers.flatMap(keysOf)
    const rows = await store.getMany('rows', keys)
    const versions = await store.getMany('versions', keys)
    for (let index = 0, at = 0; index < numbers.length; index++) {
      const number = numbers[index] as number
      const expected = keysOf(number).length
      let there = 0
      for (let end = at + expected; at < end; at++) {
        if (rows[at]?.every((byte) => byte === (number & 0xff))) there++
        if (versions[at]?.length === 60) there++
      }
      if (there > 0 && there < 2 * expected) torn++
      if (there === 2 * expected && first > 0) hole = true
      if (there !== 2 * expected && first === 0) first = number
    }
  }
  await store.close()
  return { first, torn, hole }
}
