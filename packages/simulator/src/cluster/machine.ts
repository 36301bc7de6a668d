import type { BucketRegistry, Coordinator } from '@shoal/coordinator'
import type { Handoff } from '@shoal/handoff'
import { limits, millis, type NodeId, type Random, ShoalError, type Timer } from '@shoal/kernel'
import type { Membership } from '@shoal/membership'
import { type Engine, openEngine, startEngine, stopEngine } from '@shoal/node/engine'
import type { Replica } from '@shoal/replica'
import { createRing, type Ring } from '@shoal/ring'
import {
  createMemoryDisk,
  createMemoryStore,
  type MemoryCrash,
  type MemoryDisk,
} from '@shoal/storage'
import { MachineClock } from '../kernel/machine-clock.ts'
import { eventKinds } from '../kernel/scheduler.ts'
import { SimProcess } from '../kernel/sim-process.ts'
import type { Call } from './call.ts'
import type { SimNode, SimNodeState } from './sim-node.ts'
import { countOne, type World } from './world.ts'

/** Seals contexts and sessions; the clusters of all simulations have the same. */
const TOKEN_KEY = Buffer.alloc(16, 7)
const REQUEST_MEMORY = 4_096
/** Short, so that runs of two minutes have stops on both sides of it. */
export const CLEAN_STOP_AGE_MAX = millis(5_000)
/** Enough to go back some minutes. */
const HISTORY = 2_000
/** Whoever stops a node for good kills it when it has not ended by then. */
const STOP_MAX = 60_000
const STOP_LOOK = millis(20)
/** A supervisor starts a process that has ended by itself after about this long. */
const RESTART = 2_000
/** After that many starts that failed over a damaged disk a person puts in an empty one. */
const DAMAGED_STARTS_MAX = 3

/** Often enough for runs of two minutes. */
const EXCHANGE = { exchangeInterval: millis(20_000), scrubInterval: millis(120_000) }

const BUCKET_DEFAULTS = {
  consistency: { level: 'quorum', strict: false },
  conflicts: 'siblings',
  blindWrites: 'overwrite',
  ttl: 0,
  maxSiblings: limits.siblingsMaxDefault,
} as const

/** One machine: a disk and clocks that stay, processes that come and go. */
export class Machine implements SimNode {
  readonly index: number
  readonly id: NodeId
  readonly disk: MemoryDisk = createMemoryDisk()
  readonly ring: Ring
  readonly clock: MachineClock
  /** Requests of clients that its process has not answered. */
  readonly calls = new Set<Call>()
  state: SimNodeState = 'down'
  life = 0
  slowness = 1
  process: SimProcess | undefined
  /** While set, the next process dies before it is up. */
  diesBooting = false
  /** While set, the power is cut that long after the next process begins. */
  cutAfterStart: number | undefined
  /** While set, the power is cut that long after the next process, once up, writes a row. */
  cutAfterWrite: number | undefined
  readonly #world: World
  readonly #random: Random
  #engine: Engine | undefined
  #restart: { readonly at: number; readonly timer: Timer } | undefined
  #bootAfterStop: number | undefined
  #damagedStarts = 0

  constructor(world: World, index: number, id: NodeId) {
    this.#world = world
    this.index = index
    this.id = id
    this.ring = createRing(world.founded, id)
    this.clock = new MachineClock(() => world.scheduler.now)
    this.#random = world.dice.stream(`machine ${index}`)
    this.disk.remember(HISTORY)
    this.#watchDisk()
  }

  get replica(): Replica | undefined {
    return this.#engine?.replica
  }

  get coordinator(): Coordinator | undefined {
    return this.#engine?.coordinator
  }

  get buckets(): BucketRegistry | undefined {
    return this.#engine?.buckets
  }

  get membership(): Membership | undefined {
    return this.#engine?.membership
  }

  get antiEntropy(): Engine['antiEntropy'] | undefined {
    return this.#engine?.antiEntropy
  }

  get budget(): Engine['budget'] | undefined {
    return this.#engine?.budget
  }

  get handoff(): Handoff | undefined {
    return this.#engine?.handoff
  }

  get paused(): boolean {
    return this.process?.paused ?? false
  }

  isConnectedTo(other: NodeId): boolean {
    return this.#engine?.peers.isUp(other) ?? false
  }

  boot(): void {
    if (this.state !== 'down') return
    this.#restart?.timer.cancel()
    this.#restart = undefined
    const { scheduler, dice, injections, figures } = this.#world
    this.life++
    this.state = 'booting'
    figures.boots++
    const process = new SimProcess({
      scheduler,
      dice,
      host: this,
      name: `node ${this.index} life ${this.life}`,
      seams: injections,
      onHalt: (reason) => this.halt(reason),
    })
    this.process = process
    process.wire.after(millis(0), () => this.#open(process))
    if (this.diesBooting) this.#dieBooting()
    if (this.cutAfterStart !== undefined) this.#cutAfter(this.cutAfterStart)
  }

  /** Starts it after that time, unless something starts it before or puts it off. */
  bootIn(delay: number): void {
    const { scheduler } = this.#world
    const at = scheduler.now + delay
    if (this.#restart && this.#restart.at >= at) return
    this.#restart?.timer.cancel()
    const timer = scheduler.add(delay, eventKinds.outside, undefined, () => this.boot())
    this.#restart = { at, timer }
  }

  /** As `bootIn`, counted from when the stop that is under way has ended. */
  bootAfterStop(delay: number): void {
    this.#bootAfterStop = delay
  }

  /** The process is gone, with what the disk does not keep. False when there is none. */
  crash(crash: MemoryCrash, options: { readonly silently: boolean }): boolean {
    const { process } = this
    if (!process) return false
    this.#endProcess(process, options)
    const { survived } = this.disk.crash({ ...crash, random: this.#random })
    this.#world.chain.mix(survived.length)
    this.#world.watchers.tell('crashed', this, survived)
    return true
  }

  /** The process ends itself, because of a failed disk or a bug. */
  halt(reason: unknown): void {
    const { figures, watchers, fail } = this.#world
    if (!this.process) return
    figures.halts++
    const error = reason instanceof Error ? reason : new Error(String(reason))
    if (!(error instanceof ShoalError)) fail(error)
    watchers.tell('halted', this, error)
    this.crash({ keepUnsynced: 'random' }, { silently: false })
    this.bootIn(RESTART + this.#random.below(RESTART))
  }

  /** A clean stop. False when nothing runs that could be stopped. */
  stop(): boolean {
    const { process } = this
    const engine = this.#engine
    if (this.state !== 'up' || !process || !engine) return false
    this.state = 'stopping'
    const deadline = process.clock.elapsed() + limits.drainMax
    const look = (): void => {
      if (this.calls.size > 0 && process.clock.elapsed() < deadline) {
        process.clock.after(STOP_LOOK, look)
        return
      }
      stopEngine(engine).then(
        () => this.#stopped(process),
        (error: unknown) => process.halt(error as Error),
      )
    }
    process.clock.after(STOP_LOOK, look)
    this.#world.scheduler.add(STOP_MAX, eventKinds.outside, undefined, () => {
      if (this.process !== process) return
      countOne(this.#world.figures.faults, 'stop that had to be killed')
      this.crash({ keepUnsynced: 'all' }, { silently: false })
    })
    return true
  }

  pause(): boolean {
    if (!this.process) return false
    this.process.pause()
    this.#world.network.pause(this.id)
    return true
  }

  resume(): void {
    this.#world.network.resume(this.id)
    this.process?.resume()
  }

  wipe(): void {
    this.disk.wipe()
    this.#world.watchers.tell('wiped', this)
  }

  #open(process: SimProcess): void {
    const { readLatency, syncLatency, versionCacheBytes } = this.#world.plan
    const { handoff = true, readRepair = true } = this.#world.plan
    const store = createMemoryStore(process, {
      disk: this.disk,
      readLatency: millis(readLatency),
      syncLatency: millis(syncLatency),
    })
    openEngine({
      env: process,
      store,
      founded: this.#world.founded,
      tokenKey: TOKEN_KEY,
      settings: {
        nodeId: this.id,
        durability: 'fsync',
        versionCacheBytes,
        requestMemoryEntries: REQUEST_MEMORY,
        cleanStopAgeMax: CLEAN_STOP_AGE_MAX,
        bucketDefaults: BUCKET_DEFAULTS,
        handoff,
        readRepair,
        exchange: EXCHANGE,
      },
      onEvent: (event) => {
        if (process.alive) this.#world.watchers.tell('happened', this, event)
      },
      status: (ring) => this.#status(process, ring),
      connect: (ring) =>
        this.#world.network.join({
          self: this.id,
          epoch: () => ring.epoch,
          env: process,
          wire: process.wire,
        }),
    }).then(
      (engine) => this.#opened(process, engine),
      (error: unknown) => this.#openFailed(process, error),
    )
  }

  #opened(process: SimProcess, engine: Engine): void {
    if (!process.alive) return
    this.#engine = engine
    this.#damagedStarts = 0
    this.#world.watchers.tell('booted', this)
    startEngine(engine).then(
      () => {
        if (process.alive) this.state = 'up'
      },
      (error: unknown) => process.halt(error as Error),
    )
  }

  #openFailed(process: SimProcess, error: unknown): void {
    if (!process.alive) return
    this.halt(error)
    if (!(error instanceof ShoalError) || error.code !== 'SHOAL_ROW_DAMAGED') return
    if (++this.#damagedStarts < DAMAGED_STARTS_MAX) return
    this.#damagedStarts = 0
    countOne(this.#world.figures.faults, 'disk exchanged because no node starts from it')
    this.wipe()
  }

  #stopped(process: SimProcess): void {
    if (!process.alive) return
    this.#endProcess(process, { silently: false })
    this.#world.watchers.tell('stopped', this)
  }

  #endProcess(process: SimProcess, options: { readonly silently: boolean }): void {
    process.kill()
    this.#world.died()
    this.process = undefined
    this.#engine = undefined
    this.state = 'down'
    this.#world.network.resume(this.id)
    this.#world.network.crash(this.id, options)
    for (const call of this.calls) call.abandon(options)
    this.calls.clear()
    if (this.#bootAfterStop === undefined) return
    this.bootIn(this.#bootAfterStop)
    this.#bootAfterStop = undefined
  }

  #dieBooting(): void {
    const { life } = this
    const { readLatency, syncLatency } = this.#world.plan
    const most = 1 + 8 * readLatency + 3 * syncLatency
    this.diesBooting = false
    const delay = (this.#random.below(1_024) / 1_024) * most
    this.#world.scheduler.add(delay, eventKinds.outside, undefined, () => {
      if (this.life !== life || this.state !== 'booting') return
      countOne(this.#world.figures.faults, 'crash during boot')
      this.crash({ keepUnsynced: 'random' }, { silently: true })
      this.bootIn(this.#random.below(RESTART))
    })
  }

  #cutAfter(delay: number): void {
    const { life } = this
    this.cutAfterStart = undefined
    this.cutAfterWrite = undefined
    this.#world.scheduler.add(delay, eventKinds.outside, undefined, () => {
      if (this.life !== life || !this.process) return
      countOne(this.#world.figures.faults, 'crash after a clean start')
      this.crash({ keepUnsynced: 0 }, { silently: true })
      this.bootIn(this.#random.below(RESTART))
    })
  }

  #status(process: SimProcess, ring: Ring) {
    return {
      version: 'simulated',
      uptimeMs: process.clock.elapsed(),
      load: 0,
      draining: this.state !== 'up',
      epoch: ring.epoch,
      diskBytes: 0,
      freeBytes: -1,
      memoryBytes: 0,
      problems: [],
    }
  }

  #watchDisk(): void {
    const { chain, watchers } = this.#world
    this.disk.watch({
      wrote: (batch) => {
        chain.mix(batch.operations.length)
        for (const { value } of batch.operations) chain.mix(value?.length ?? -1)
        watchers.tell('wrote', this, batch)
        if (this.cutAfterWrite === undefined || this.state !== 'up') return
        if (batch.operations.some(({ column }) => column === 'rows')) {
          this.#cutAfter(this.cutAfterWrite)
        }
      },
      synced: (batches) => watchers.tell('synced', this, batches),
      misdirected: (column, key, victim) => {
        watchers.tell('damaged', this, { kind: 'missing', column, key })
        watchers.tell('damaged', this, { kind: 'changed', column, key: victim })
      },
    })
  }
}
