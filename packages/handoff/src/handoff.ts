import {
  type Env,
  InvariantViolation,
  limits,
  millis,
  type NodeId,
  type Partition,
  ShoalError,
  type Timer,
} from '@shoal/kernel'
import type { Store } from '@shoal/storage'
import { decodeMerge } from '@shoal/wire'
import { SyncPoints } from './core/sync-points.ts'
import { Courier } from './courier.ts'
import type { CourierDesk } from './courier-desk.ts'
import type { DirtyMark } from './dirty-marks.ts'
import { figuresOf, type HintFigures } from './figures.ts'
import {
  defaultLogSettings,
  HintLog,
  type LogListener,
  type LogSettings,
  type RemovedHint,
} from './hint-log.ts'
import { LogEnds } from './log-ends.ts'
import { LogReader } from './log-reading.ts'
import { type OwedGroup, Owing } from './owing.ts'
import type {
  Budget,
  HandoffEvent,
  Liveness,
  OverflowReason,
  Placement,
  RowSource,
  Targets,
} from './ports.ts'
import { type HintSync, HintSyncs } from './sync-job.ts'
import { type HandoffCounters, Tallies } from './tallies.ts'
import { Turns } from './turns.ts'
import { attempt } from './writing.ts'

export interface HandoffOptions {
  readonly env: Env
  readonly store: Store
  readonly self: NodeId
  /** The ring of the moment. */
  readonly placement: () => Placement
  /** The rows of this node. */
  readonly rows: RowSource
  readonly targets: Targets
  readonly liveness: Liveness
  /** Absent: as much as the targets take. */
  readonly budget?: Budget
  readonly onEvent?: (event: HandoffEvent) => void
  /** Bounds other than those of `limits`. */
  readonly settings?: Partial<LogSettings>
}

const unlimited: Budget = { take: () => Promise.resolve(), paused: false }

/**
 * Writes that a replica missed, kept until they are on its disk (H1 to H4).
 *
 * Three ways to owe a row. `group`: in the batch of the row itself, so that one sync makes both
 * durable; this is how a fallback acknowledges. `record`: for who can wait. `owe`: for a
 * coordinator after its reply; on disk within a tenth of a second.
 */
export class Handoff {
  readonly #options: HandoffOptions
  readonly #budget: Budget
  readonly #settings: LogSettings
  readonly #log: HintLog
  readonly #reader: LogReader
  readonly #owing: Owing
  readonly #desk: CourierDesk
  readonly #couriers = new Map<NodeId, Courier>()
  readonly #turns = new Turns((courier) => this.#isReady(courier))
  readonly #points = new SyncPoints()
  readonly #syncs: HintSyncs
  readonly #tallies: Tallies
  #recheckDue: Timer | undefined
  #stopped = false

  /**
   * For rows that are owed from the moment they are written, in one batch with them. The batch is
   * to be synced before anybody counts on it, also when nothing was added to it.
   */
  readonly group: OwedGroup

  private constructor(options: HandoffOptions) {
    const { env, store, self, placement } = options
    this.#options = options
    this.#budget = options.budget ?? unlimited
    this.#settings = { ...defaultLogSettings, ...options.settings }
    this.#tallies = new Tallies((event) => options.onEvent?.(event))
    this.#syncs = new HintSyncs(env, this.#points, () => this.#budget.paused)
    const parts = {
      ...{ env, store, self, placement },
      settings: this.#settings,
      listener: this.#listener(),
    }
    this.#log = new HintLog(parts)
    const ends = new LogEnds(parts, this.#log)
    this.#reader = new LogReader(parts, this.#log, ends)
    this.#owing = new Owing(parts, this.#log, this.#onFailure)
    this.#desk = this.#makeDesk(ends)
    this.group = this.#owing.group()
  }

  #makeDesk(ends: LogEnds): CourierDesk {
    const { env, placement, rows, targets, onEvent } = this.#options
    return {
      ...{ env, placement, rows, targets, ends },
      reader: this.#reader,
      budget: this.#budget,
      isReachable: (node) => this.#isReachable(node),
      flush: () => void this.#owing.flush(),
      released: (node) => this.#turns.released(this.#courierOf(node)),
      ready: (node) => this.#turns.offer(this.#courierOf(node)),
      event: (event) => onEvent?.(event),
      failed: this.#onFailure,
      isStopped: () => this.#stopped,
    }
  }

  /** Finds the hints of an earlier life again: reads the whole log once. */
  static async open(options: HandoffOptions): Promise<Handoff> {
    const handoff = new Handoff(options)
    await handoff.#reader.load()
    return handoff
  }

  /** Delivers from now on. */
  start(): void {
    this.#options.liveness.onChange((node, up) => {
      if (!up || this.#stopped) return
      const target = this.#log.targets.get(node)
      if (target && target.count > 0) this.#courierOf(node).returned()
    })
    for (const { node } of this.#log.targets.values()) this.#turns.offer(this.#courierOf(node))
    this.#scheduleRecheck()
  }

  /**
   * Begins nothing new, and what is owed is with the store when it returns. Answers that come later
   * are not heard: their hints are delivered again after the next start.
   */
  stop(): void {
    if (this.#stopped) return
    this.#owing.flush()
    this.#owing.stop()
    this.#stopped = true
    this.#recheckDue?.cancel()
    for (const courier of this.#couriers.values()) courier.stop()
  }

  /**
   * A row that this node holds has to reach a target later. On disk soon, not at once.
   *
   * @param message  a whole merge message, whose row is with the store of this node already
   */
  owe(to: NodeId, message: Buffer): void {
    if (this.#stopped) return
    const { rowKey, row } = decodeMerge(message)
    this.#owing.add({ to, rowKey, bytes: row.length })
  }

  /**
   * As `owe`; resolves when it survives a power cut.
   *
   * @throws SHOAL_STORAGE_FULL, or what the store rejects with
   */
  async record(to: NodeId, message: Buffer): Promise<void> {
    this.owe(to, message)
    if (!this.#owing.flush()) {
      throw new ShoalError('SHOAL_STORAGE_FULL', 'The disk has no room for hints.')
    }
    await this.#options.store.sync()
  }

  /** Targets that are owed one key, for people. */
  owed(rowKey: Buffer): number {
    return this.#log.owed(rowKey)
  }

  /**
   * What every caller may wait for: that all hints of this moment are delivered (H4).
   *
   * @throws SHOAL_OVERLOADED while `limits.hintSyncsMax` others wait
   */
  sync(): HintSync {
    this.#syncs.assertRoom()
    this.#owing.flush()
    return this.#syncs.begin(this.#points.begin(this.#log.sequence, this.#log.targets.values()))
  }

  /** Partitions to be exchanged with their target before others, oldest first (H2, E3). */
  dirty(): readonly DirtyMark[] {
    return this.#log.marks.all().sort((one, other) => one.since - other.since)
  }

  /**
   * What this node held of the partition when the mark was read is on the target's disk now. False
   * when more is owed since: the mark stays, and `dirty` shows it anew.
   */
  clean(mark: DirtyMark): boolean {
    if (this.#stopped) return false
    return attempt(() => this.#log.marks.clean(mark), this.#onFailure) ?? false
  }

  figures(): HintFigures {
    return figuresOf(this.#log, this.#options.env.clock.wall())
  }

  counters(): HandoffCounters {
    return this.#tallies.counters()
  }

  /** A node that left the ring is down for ever, and what it was owed has to move on. */
  #isReachable(node: NodeId): boolean {
    const { liveness, placement } = this.#options
    return liveness.isUp(node) || placement().member(node) === undefined
  }

  #isReady({ node, target, isIdle }: Courier): boolean {
    const wanted = isIdle && target.count > 0 && !this.#stopped
    return wanted && !this.#budget.paused && this.#isReachable(node)
  }

  #courierOf(node: NodeId): Courier {
    let courier = this.#couriers.get(node)
    if (!courier) {
      courier = new Courier(this.#desk, this.#log.target(node))
      this.#couriers.set(node, courier)
    }
    return courier
  }

  #scheduleRecheck(): void {
    this.#recheckDue = this.#options.env.clock.after(limits.hintRecheck, () => {
      this.#recheck()
      this.#scheduleRecheck()
    })
  }

  /** Whatever was missed is found here: by a timer that depends on nothing else. */
  #recheck(): void {
    const { clock } = this.#options.env
    attempt(() => this.#log.marks.saveAll(), this.#onFailure)
    const tooOld = millis(clock.wall() - this.#settings.ageMax)
    for (const { node, count, oldest } of this.#log.targets.values()) {
      if (count === 0) continue
      const courier = this.#courierOf(node)
      courier.recheck(clock.elapsed())
      if (oldest !== undefined && oldest < tooOld) courier.sweep(tooOld)
      this.#turns.offer(courier)
    }
    this.#tallies.tell((node) => this.#log.targets.get(node)?.count ?? 0)
  }

  #listener(): LogListener {
    const tallies = this.#tallies
    return {
      stored: (node: NodeId, bytes: number) => tallies.stored(node, bytes),
      joined: () => tallies.joined(),
      removed: (node: NodeId, hint: RemovedHint) => {
        tallies.removed(node, hint)
        this.#syncs.reached(this.#points.removed(node, hint.sequence, hint.delivered))
      },
      forgotten: (node: NodeId) => this.#syncs.reached(this.#points.forget(node)),
      overflowed: (node: NodeId, partition: Partition, reason: OverflowReason) =>
        tallies.overflowed({ kind: 'hints-overflowed', node, partition, reason }),
    }
  }

  /** A bug, or a disk that failed: the node cannot go on (A3). */
  readonly #onFailure = (reason: unknown): void => {
    if (this.#stopped && reason instanceof ShoalError && reason.code === 'SHOAL_STORE_CLOSED')
      return
    const error = reason instanceof Error ? reason : new InvariantViolation(String(reason))
    this.#options.env.halt(error)
  }
}
