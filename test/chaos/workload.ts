/** Clients that read, write, delete and make siblings, and remember what they were shown. */
import { performance } from 'node:perf_hooks'
import { connect } from '@shoal/client'
import type { NodeProcess } from '../support/node-process.ts'
import { type Door, type Level, PackageDoor, PlainDoor } from './doors.ts'
import { type Draw, drawFrom } from './draw.ts'
import type { History, Shown } from './history.ts'
import { pause } from './pause.ts'
import { textOf } from './values.ts'

export interface WorkloadSettings {
  readonly nodes: readonly NodeProcess[]
  readonly bucket: string
  /** Begins every key and value of this workload. */
  readonly name: string
  readonly seed: number
  readonly workers: number
  readonly hotKeys: number
  readonly coldKeys: number
  /** What writes ask for, chosen from at random. */
  readonly writeLevels: readonly Level[]
  readonly history: History
  surprise(words: string): void
}

interface Knowledge {
  readonly context: string
  readonly covers: readonly Shown[]
}

const HOT_SHARE = 0.6
const READ_SHARE = 0.35
const BLIND_SHARE = 0.15
const DELETE_SHARE = 0.12
const REST_MS = 25
const BYTES_MAX = 3_000
/** A client that sees so many values makes one of them. */
const SIBLINGS_ENDURED = 4

export class Workload {
  readonly keys: readonly string[]
  readonly #settings: WorkloadSettings
  readonly #hot: readonly string[]
  readonly #cold: readonly string[]
  readonly #ending = new AbortController()
  readonly #workers: readonly Promise<void>[]
  #values = 0

  constructor(settings: WorkloadSettings) {
    const { name, hotKeys, coldKeys, workers } = settings
    this.#settings = settings
    this.#hot = Array.from({ length: hotKeys }, (_, index) => `${name}-hot-${index}`)
    this.#cold = Array.from({ length: coldKeys }, (_, index) => `${name}-cold-${index}`)
    this.keys = [...this.#hot, ...this.#cold]
    this.#workers = Array.from({ length: workers }, (_, worker) => this.#work(worker))
  }

  get acknowledged(): number {
    return this.#settings.history.counts.acknowledged
  }

  /** Until the last answer, or the last timeout. */
  async stop(): Promise<void> {
    this.#ending.abort()
    await Promise.all(this.#workers)
  }

  async #work(worker: number): Promise<void> {
    const { seed, name } = this.#settings
    const { signal } = this.#ending
    const draw = drawFrom(seed, name, 'worker', worker)
    const door = this.#door(worker, draw)
    const known = new Map<string, Knowledge>()
    while (!signal.aborted) {
      const key = draw.pick(draw.chance(HOT_SHARE) ? this.#hot : this.#cold)
      const knowledge = known.get(key)
      const mustRead = knowledge === undefined && draw.chance(0.5)
      if (mustRead || draw.chance(READ_SHARE)) await this.#read(door, key, { known, draw })
      else await this.#write(door, key, { known, draw })
      await pause(draw.between(0, REST_MS), signal)
    }
    await door.close()
  }

  #door(worker: number, draw: Draw): Door {
    const { bucket, nodes, surprise } = this.#settings
    const settings = { bucket, surprise }
    // Half of all clients, and each kind alone where there is one of it.
    if (worker % 2 === 1) {
      return new PackageDoor(settings, connect(nodes.map(({ url }) => url)))
    }
    return new PlainDoor(settings, () => {
      const serving = nodes.filter(({ isServing }) => isServing)
      return draw.pick(serving.length > 0 ? serving : nodes)
    })
  }

  async #read(
    door: Door,
    key: string,
    { known, draw }: { known: Map<string, Knowledge>; draw: Draw },
  ): Promise<void> {
    const level = draw.pick(readLevels)
    const start = performance.now()
    const seen = await door.read(key, level)
    if (seen === undefined) return
    const { shown, context, through } = seen
    const end = performance.now()
    this.#settings.history.read(key, {
      shown,
      start,
      end,
      isStrict: level.strict === true,
      through,
    })
    known.set(key, { context, covers: shown })
  }

  async #write(
    door: Door,
    key: string,
    { known, draw }: { known: Map<string, Knowledge>; draw: Draw },
  ): Promise<void> {
    const { name, seed, history, writeLevels } = this.#settings
    const knowledge = known.get(key)
    const manySiblings = (knowledge?.covers.length ?? 0) > SIBLINGS_ENDURED
    const isBlind = knowledge === undefined || (!manySiblings && draw.chance(BLIND_SHARE))
    const { context, covers } = isBlind ? nothing : knowledge
    const isDelete = covers.length > 0 && draw.chance(DELETE_SHARE)
    const id = `${name}-${seed}-${this.#values++}`
    const level = draw.pick(writeLevels)
    const text = isDelete ? undefined : textOf(id, 40 + draw.below(BYTES_MAX))
    const start = performance.now()
    const done = await door.write({ key, text, context, level })
    const end = performance.now()
    const { outcome, isStrict, through, note } = done
    const kind = isDelete ? 'delete' : 'put'
    const mayBeTwins = door.repeats
    const times = { start, end }
    history.wrote(key, { kind, id, covers, ...times, outcome, mayBeTwins, isStrict, through, note })
    // Whoever knows no more than before may go on with what it knew: that makes siblings.
    if (outcome !== 'acknowledged') return
    const own = isDelete ? [] : [{ id, etag: done.etag }]
    known.set(key, { context: done.context, covers: [...covers, ...own] })
  }
}

const nothing: Knowledge = { context: '', covers: [] }

const readLevels: readonly Level[] = [
  { level: 'quorum' },
  { level: 'quorum' },
  { level: 'quorum' },
  { level: 'one' },
  { level: 'quorum', strict: true },
  { level: 'quorum', strict: true },
]

/** Acknowledged by two disks at least, so that one may be lost. */
export const onTwoDisks: readonly Level[] = [
  { level: 'quorum' },
  { level: 'quorum' },
  { level: 'quorum' },
  { level: 'quorum', strict: true },
  { level: 'all' },
]

/** Acknowledged by one disk at least: a crash loses nothing. */
export const onDisk: readonly Level[] = [...onTwoDisks, { level: 'quorum', w: 1, durable: 1 }]

/** Also what only the operating system has: that survives the end of a process. */
export const inMemory: readonly Level[] = [...onDisk, { level: 'quorum', durable: 0 }]
