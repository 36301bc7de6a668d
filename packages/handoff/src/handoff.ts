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
import type { Batch, Store } from '@shoal/storage'
import { decodeMerge } from '@shoal/wire'
import { SyncPoints } from './core/sync-points.ts'
import { Courier, type CourierDesk } from './courier.ts'
import { type DirtyMark, writeIfRoom } from './dirty-marks.ts'
import {
  defaultLogSettings,
  HintLog,
  type LogSettings,
  type Owed,
  type RemovedHint,
  type Staged,
} from './hint-log.ts'
import { loadHints } from './log-reading.ts'
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
import { Tallies } from './tallies.ts'

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

/** What one node owes, in the members of `/v1/hints`. */
export interface HintFigures {
  readonly total: number
  /** Of the rows owed. */
  readonly bytes: number
  /** Age of the oldest hint; 0 when there is none. */
  readonly oldestMs: number
  readonly targets: readonly HintTargetFigures[]
}

export interface HintTargetFigures {
  readonly node: NodeId
  readonly count: number
  readonly bytes: number
  readonly oldestMs: number
  /** Partitions that anti-entropy has to repair, because hints were too many or too old (H2). */
  readonly dirtyPartitions: number
}

/** Since the start, for metrics. */
export interface HandoffCounters {
  readonly stored: number
  /** Rows owed that were owed already. */
  readonly joined: number
  readonly delivered: number
  readonly deliveredBytes: number
  /** Hints given up, marks made. */
  readonly lost: number
  readonly overflowed: number
}

/** A group of rows that owes. Satisfied by `Handoff.group`; all three in one turn. */
export interface OwedGroup {
  /** Adds to the batch what has to be on disk with its rows. */
  add(batch: Batch, owed: Owed): void
  /** The batch is with the store. */
  written(): void
  /** The batch was refused: nothing is owed. */
  discarded(): void
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
  readonly #log: HintLog
  readonly #settings: LogSettings
  readonly #desk: CourierDesk
  readonly #couriers = new Map<NodeId, Courier>()
  /** Couriers with a round under way. */
  readonly #active = new Set<Courier>()
  /** Couriers that want one, in their order. */
  readonly #waiting = new Set<Courier>()
  readonly #points = new SyncPoints()
  readonly #syncs: HintSyncs
  readonly #tallies: Tallies
  readonly #batch: Batch
  #staged: Staged[] = []
  #owing: Owed[] = []
  #syncDue: Timer | undefined
  #recheckDue: Timer | undefined
  #stopped = false

  private constructor(options: HandoffOptions) {
    const { env, store, self, placement, rows, targets } = options
    this.#options = options
    this.#budget = options.budget ?? unlimited
    this.#settings = { ...defaultLogSettings, ...options.settings }
    this.#tallies = new Tallies((event) => options.onEvent?.(event))
    this.#syncs = new HintSyncs(env, this.#points, () => this.#budget.paused)
    this.#batch = store.batch()
    const settings = this.#settings
    this.#log = new HintLog({ env, store, self, placement, settings, listener: this.#listener() })
    const { budget, log } = { budget: this.#budget, log: this.#log }
    this.#desk = {
      ...{ env, store, log, placement, rows, targets, budget },
      isReachable: (node) => this.#isReachable(node),
      flush: () => void this.#flush(),
      released: (courier) => this.#released(courier),
      ready: (courier) => this.#offer(courier),
      event: (event) => options.onEvent?.(event),
      failed: (reason) => this.#failed(reason),
      isStopped: () => this.#stopped,
    }
  }

  /** Finds the hints of an earlier life again: reads the whole log once. */
  static async open(options: HandoffOptions): Promise<Handoff> {
    const handoff = new Handoff(options)
    await loadHints(options.store, handoff.#log)
    return handoff
  }

  /** Delivers from now on. */
  start(): void {
    const { liveness } = this.#options
    liveness.onChange((node, up) => {
      if (!up || this.#stopped) return
      const target = this.#log.targets.get(node)
      if (target && target.count > 0) this.#courierOf(node).returned()
    })
    for (const { node } of this.#log.targets.values()) this.#offer(this.#courierOf(node))
    this.#scheduleRecheck()
  }

  /** Begins nothing new; what is owed is with the store when it returns. Answers come too late. */
  stop(): void {
    if (this.#stopped) return
    this.#flush()
    this.#stopped = true
    this.#syncDue?.cancel()
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
    if (this.#owing.length === 0) this.#options.env.nextTurn(() => this.#flush())
    const owed = { to, rowKey, bytes: row.length }
    this.#log.add(this.#batch, owed, this.#staged)
    this.#owing.push(owed)
    if (this.#owing.length >= limits.groupOperationsMax) this.#flush()
  }

  /**
   * As `owe`; resolves when it survives a power cut.
   *
   * @throws SHOAL_STORAGE_FULL, or what the store rejects with
   */
  async record(to: NodeId, message: Buffer): Promise<void> {
    this.owe(to, message)
    if (!this.#flush())
      throw new ShoalError('SHOAL_STORAGE_FULL', 'The disk has no room for hints.')
    await this.#options.store.sync()
  }

  /**
   * For rows that are owed from the moment they are written, in one batch with them. The batch is
   * to be synced before anybody counts on it, also when nothing was added to it.
   */
  readonly group: OwedGroup = this.#makeGroup()

  #makeGroup(): OwedGroup {
    let staged: Staged[] = []
    return {
      add: (batch, owed) => {
        // What is owed already is to be with the store, not in a batch that may yet be refused.
        this.#flush()
        this.#log.add(batch, owed, staged)
      },
      written: () => {
        const done = staged
        staged = []
        this.#log.written(done)
      },
      discarded: () => {
        const done = staged
        staged = []
        this.#log.discarded(done)
      },
    }
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
    this.#flush()
    const point = this.#points.begin(this.#log.sequence, this.#log.targets.values())
    return this.#syncs.begin(point)
  }

  /** Partitions to be exchanged with their target first, oldest first (H2, E3). */
  dirty(): readonly DirtyMark[] {
    return this.#log.marks.all().sort((one, other) => one.since - other.since)
  }

  /**
   * What this node held of the partition when the mark was read is on the target's disk now. False
   * when more is owed since: the mark stays, and `dirty` shows it anew.
   */
  clean(mark: DirtyMark): boolean {
    return !this.#stopped && this.#log.marks.clean(mark)
  }

  figures(): HintFigures {
    const now = this.#options.env.clock.wall()
    const nodes = new Set([...this.#log.targets.keys(), ...this.#log.marks.nodes()])
    const targets = [...nodes]
      .map((node) => this.#figuresOf(node, now))
      .filter(({ count, dirtyPartitions }) => count > 0 || dirtyPartitions > 0)
    return {
      total: this.#log.count,
      bytes: targets.reduce((sum, { bytes }) => sum + bytes, 0),
      oldestMs: targets.reduce((oldest, { oldestMs }) => Math.max(oldest, oldestMs), 0),
      targets,
    }
  }

  #figuresOf(node: NodeId, now: number): HintTargetFigures {
    const target = this.#log.targets.get(node)
    return {
      node,
      count: target?.count ?? 0,
      bytes: target?.bytes ?? 0,
      oldestMs: target?.oldest === undefined ? 0 : Math.max(0, Math.round(now - target.oldest)),
      dirtyPartitions: this.#log.marks.count(node),
    }
  }

  counters(): HandoffCounters {
    return this.#tallies.counters()
  }

  /** Owed rows go to the store in one batch. Where the disk is full their partitions are marked. */
  #flush(): boolean {
    if (this.#owing.length === 0) return true
    const staged = this.#staged
    const owing = this.#owing
    this.#staged = []
    this.#owing = []
    const written = writeIfRoom(this.#options.store, this.#batch)
    this.#batch.clear()
    if (written) {
      this.#log.written(staged)
      this.#scheduleSync()
    } else {
      this.#log.discarded(staged)
      this.#log.markInstead(owing)
    }
    return written
  }

  /** One sync for all that came within a while, unless somebody else's came first. */
  #scheduleSync(): void {
    this.#syncDue ??= this.#options.env.clock.after(limits.hintSyncDelay, () => {
      this.#syncDue = undefined
      const { store } = this.#options
      if (!this.#stopped) store.sync().catch((reason: unknown) => this.#failed(reason))
    })
  }

  /** A node that left the ring is down for ever: what it was owed is moved, so that is to go on. */
  #isReachable(node: NodeId): boolean {
    const { liveness, placement } = this.#options
    return liveness.isUp(node) || placement().member(node) === undefined
  }

  #courierOf(node: NodeId): Courier {
    let courier = this.#couriers.get(node)
    if (!courier) {
      courier = new Courier(this.#desk, this.#log.target(node))
      this.#couriers.set(node, courier)
    }
    return courier
  }

  #isReady({ node, target, isIdle }: Courier): boolean {
    return (
      !this.#stopped &&
      isIdle &&
      target.count > 0 &&
      !this.#budget.paused &&
      this.#isReachable(node)
    )
  }

  #offer(courier: Courier): void {
    if (!this.#isReady(courier)) return
    this.#waiting.add(courier)
    this.#fill()
  }

  #released(courier: Courier): void {
    this.#active.delete(courier)
    if (this.#isReady(courier)) this.#waiting.add(courier)
    this.#fill()
  }

  /** Few targets at a time, in turn: a round each. */
  #fill(): void {
    for (const courier of this.#waiting) {
      if (this.#active.size >= limits.hintRoundsInFlightMax) return
      this.#waiting.delete(courier)
      if (!this.#isReady(courier)) continue
      this.#active.add(courier)
      courier.begin()
    }
  }

  #scheduleRecheck(): void {
    this.#recheckDue = this.#options.env.clock.after(limits.hintRecheck, () => {
      this.#recheck()
      this.#scheduleRecheck()
    })
  }

  /** Whatever was missed is found here: a timer that depends on nothing else. */
  #recheck(): void {
    const { env } = this.#options
    this.#log.marks.saveAll()
    const now = env.clock.elapsed()
    const before = millis(env.clock.wall() - this.#settings.ageMax)
    for (const { node, count, oldest } of this.#log.targets.values()) {
      if (count === 0) continue
      const courier = this.#courierOf(node)
      courier.recheck(now)
      if (oldest !== undefined && oldest < before) courier.sweep(before)
      this.#offer(courier)
    }
    this.#tallies.tell((node) => this.#log.targets.get(node)?.count ?? 0)
  }

  #listener() {
    return {
      stored: (node: NodeId, bytes: number) => this.#tallies.stored(node, bytes),
      joined: () => this.#tallies.joined(),
      removed: (node: NodeId, hint: RemovedHint) => {
        this.#tallies.removed(node, hint)
        this.#syncs.reached(this.#points.removed(node, hint.sequence, hint.delivered))
      },
      forgotten: (node: NodeId) => this.#syncs.reached(this.#points.forget(node)),
      overflowed: (node: NodeId, partition: Partition, reason: OverflowReason) =>
        this.#tallies.overflowed({ kind: 'hints-overflowed', node, partition, reason }),
    }
  }

  /** A bug, or a disk that failed: the node cannot go on (A3). */
  #failed(reason: unknown): void {
    const isClosed = reason instanceof ShoalError && reason.code === 'SHOAL_STORE_CLOSED'
    if (this.#stopped && isClosed) return
    const error = reason instanceof Error ? reason : new InvariantViolation(String(reason))
    this.#options.env.halt(error)
  }
}
