import {
  type Env,
  limits,
  type Millis,
  millis,
  type NodeId,
  type Partition,
  ShoalError,
} from '@shoal/kernel'
import type { Store } from '@shoal/storage'
import { type Debt, debtOf } from './core/debt.ts'
import type { ExchangeEnding } from './core/exchange-machine.ts'
import type { ScheduleFigures } from './core/schedule.ts'
import {
  type AntiEntropyEvent,
  type Budget,
  type DirtyMarks,
  type ExchangeQuestion,
  type LocalReplica,
  othersOf,
  type Peers,
  type Placement,
} from './ports.ts'
import { ExchangeAnswers } from './shell/exchange-answers.ts'
import type { ExchangePlan } from './shell/exchange-run.ts'
import { Exchanger } from './shell/exchanger.ts'
import { Healer } from './shell/healer.ts'
import { KeyLister } from './shell/key-lister.ts'
import { LostPartitions } from './shell/lost-partitions.ts'
import { Marks } from './shell/marks.ts'
import { askProof, type Proof, type ProofRequest } from './shell/proofs.ts'
import { Repairs } from './shell/repairs.ts'
import { Rounds } from './shell/rounds.ts'
import { RowChecker } from './shell/row-checker.ts'
import { ScrubRounds } from './shell/scrub-rounds.ts'
import { Scrubber } from './shell/scrubber.ts'
import { Forest } from './trees/forest.ts'

export interface AntiEntropyParts {
  readonly env: Env
  readonly store: Store
  readonly replica: LocalReplica
  readonly peers: Peers
  /** The ring as it is now; tell of a change with `ringChanged`. */
  readonly placement: () => Placement
  readonly budget: Budget
  readonly tell: (event: AntiEntropyEvent) => void
  readonly settings?: AntiEntropySettings
  /** Absent where nothing keeps hints. */
  readonly marks?: DirtyMarks
}

export interface AntiEntropySettings {
  /** The longest time between two exchanges of a pair. Default `limits.exchangeInterval`. */
  readonly exchangeInterval?: Millis
  /** Default `limits.scrubInterval`. */
  readonly scrubInterval?: Millis
}

export interface AntiEntropyFigures extends ScheduleFigures {
  /** Exchanges this node has begun and not ended. */
  readonly exchanging: number
  readonly exchanges: number
  readonly pulled: number
  readonly pushed: number
  readonly healed: number
  /** Keys damaged here that nobody could give so far. */
  readonly unhealed: number
  /** Partitions that do not count to reads (Q6). */
  readonly lost: number
  /** Small Merkle trees built. */
  readonly treesBuilt: number
}

/** Hints this node holds, as far as convergence debt counts them. */
export interface HintFigures {
  readonly bytes: number
  readonly oldest: Millis
}

/** Makes this node's copies equal to those of its peers, and keeps them whole. */
export class AntiEntropy {
  readonly #parts: AntiEntropyParts
  readonly #forest: Forest
  readonly #lost: LostPartitions
  readonly #answers: ExchangeAnswers
  readonly #exchanger: Exchanger
  readonly #rounds: Rounds
  readonly #healer: Healer
  readonly #scrubber: Scrubber
  readonly #marks: Marks | undefined
  readonly #scrubRounds: ScrubRounds
  readonly repairs: Repairs
  #isOlderDisk = false
  #exchanges = 0
  #pulled = 0
  #pushed = 0
  #healed = 0

  /** Reads what an earlier run left: lost partitions, when each partition was scrubbed. */
  static async open(parts: AntiEntropyParts): Promise<AntiEntropy> {
    const { store, placement, tell } = parts
    const lost = await LostPartitions.open({ store, placement, tell })
    const antiEntropy = new AntiEntropy(parts, lost)
    await antiEntropy.#scrubRounds.open()
    return antiEntropy
  }

  private constructor(parts: AntiEntropyParts, lost: LostPartitions) {
    const { env, store, replica, budget, placement, peers, tell, settings = {} } = parts
    const { partitions } = placement()
    this.#parts = parts
    this.#lost = lost
    this.#forest = new Forest(replica)
    const forest = this.#forest
    const lister = new KeyLister({ env, store, replica, partitions })
    const checker = new RowChecker({ store, replica, budget, partitions })
    const doubt = (partition: Partition, segments: readonly number[]): void =>
      this.#scrubRounds.doubt(partition, segments)
    const exchange = (plan: ExchangePlan): Promise<ExchangeEnding> => this.#exchange(plan)
    this.#answers = new ExchangeAnswers({
      ...{ env, replica, placement, budget, forest, lister, checker, doubt },
      foundDifferent: (partition, peer) => this.#rounds.foundDifferent({ partition, peer }),
      foundEqual: (partition, peer) => {
        this.#rounds.foundEqual({ partition, peer })
        const losses = lost.losses(partition)
        void this.#keep(lost.merged(partition, peer, losses))
      },
    })
    this.#exchanger = new Exchanger(
      { env, replica, peers, budget, forest, lister, partitions, doubt },
      () => this.#rounds.wake(),
    )
    const { exchangeInterval: interval, scrubInterval = limits.scrubInterval } = settings
    const exchanger = this.#exchanger
    this.#rounds = new Rounds({
      ...{ env, placement, budget, exchanger, exchange },
      ...(interval === undefined ? {} : { interval }),
    })
    this.#healer = new Healer({ env, store, replica, peers, budget, placement, tell })
    const healer = this.#healer
    this.#scrubber = new Scrubber({
      ...{ replica, peers, placement, checker, healer, exchange, tell },
      lost: (partition) => this.reportLoss([partition], 'its rows were not those it had written'),
    })
    const scrubber = this.#scrubber
    this.#scrubRounds = new ScrubRounds({
      ...{ env, store, placement, scrubber, budget },
      interval: scrubInterval,
    })
    const { marks } = parts
    this.#marks =
      marks && new Marks({ env, store, replica, peers, budget, placement, marks, exchange })
    this.repairs = new Repairs({
      ...{ env, placement, peers, exchange },
      scrub: async (partition) => {
        const report = await scrubber.scrub(partition)
        this.#scrubRounds.done(partition)
        return report
      },
    })
  }

  /** Begins to compare and to scrub. Answers are given before. */
  start(): void {
    this.#rounds.start()
    this.#scrubRounds.start()
    this.#marks?.start()
  }

  /** Begins nothing more. What is under way ends by itself; close the budget to let it. */
  stop(): void {
    this.#rounds.stop()
    this.#scrubRounds.stop()
    this.#scrubber.stop()
    this.#marks?.stop()
    this.#healer.stop()
    this.repairs.stop()
    this.#exchanger.stop('SHOAL_DRAINING')
  }

  /** After `stop`, when nothing of this works on the store or the replica any more. */
  async idle(): Promise<void> {
    await this.#exchanger.idle()
    await this.#healer.idle()
    await this.#marks?.idle()
    await this.#scrubber.idle()
    await this.#answers.idle()
  }

  /** @returns false when the question is not one for anti-entropy */
  answer(question: ExchangeQuestion): boolean {
    return this.#answers.answer(question)
  }

  /** A peer can be reached again. */
  peerUp(peer: NodeId): void {
    this.#rounds.peerUp(peer)
    this.#healer.retry()
    this.#marks?.wake()
  }

  ringChanged(): void {
    this.#rounds.ringChanged()
    this.#scrubRounds.ringChanged()
    void this.#keep(this.#lost.ringChanged())
  }

  /** Handoff has marked a partition. */
  marked(): void {
    this.#marks?.wake()
  }

  /** A write is known not to have reached this peer, and nothing else remembers it (H2). */
  markDirty(partition: Partition, peer: NodeId): void {
    this.#rounds.markDirty({ partition, peer })
  }

  /** A read or a merge found this key's copy here damaged (V11). */
  reportDamage(rowKey: Buffer): void {
    const own = Buffer.from(rowKey)
    if (this.#healer.report(own)) this.#parts.tell({ kind: 'rowDamaged', rowKey: own, what: 'row' })
  }

  /**
   * Data of these partitions is gone from this disk (Q6). They are compared before anything else.
   *
   * @param reason  in words, for people
   * Resolves when it is on disk: answer no read from them before.
   */
  async markLost(partitions: readonly Partition[], reason: string): Promise<void> {
    await this.#lost.lose(partitions, reason)
    const { placement } = this.#parts
    for (const partition of partitions) {
      for (const peer of othersOf(placement(), partition))
        this.#rounds.returned({ partition, peer })
    }
  }

  /** As `markLost`, for who cannot wait: holds at once, and is on disk soon. */
  reportLoss(partitions: readonly Partition[], reason: string): void {
    void this.#keep(this.markLost(partitions, reason))
  }

  /**
   * This disk is an older copy of itself (A2). Told at each sign of it; what counts is the first:
   * what was merged from others since then is not missing.
   */
  reportOlderDisk(): void {
    if (this.#isOlderDisk) return
    this.#isOlderDisk = true
    const ring = this.#parts.placement()
    this.reportLoss(ring.partitionsOf(ring.self), 'the disk is an older copy of itself')
  }

  /** Whether this node's copy of the partition counts to R (Q6). */
  countsToReads(partition: Partition): boolean {
    return this.#lost.countsToReads(partition)
  }

  /** Partitions that do not count to R for now. */
  lostPartitions(): readonly Partition[] {
    return this.#lost.partitions()
  }

  /** Whether a replica's tree contains a version of a key: its own, or a peer's. */
  prove(request: ProofRequest): Promise<Proof> {
    const { peers, placement } = this.#parts
    const { self, partitions } = placement()
    const own = (rowKey: Buffer) => this.#answers.prove(rowKey)
    return askProof({ peers, partitions, self, own }, request)
  }

  /** How far this node's copies and those of its peers may be apart (E6). */
  debt(hints: HintFigures): Debt {
    const { unverified, divergentSegments, oldestUnverified } = this.#scheduleFigures()
    return debtOf({
      oldestUnverified,
      divergentSegments,
      unverified,
      hintBytes: hints.bytes,
      oldestHint: hints.oldest,
    })
  }

  figures(): AntiEntropyFigures {
    return {
      ...this.#scheduleFigures(),
      exchanging: this.#exchanger.running,
      exchanges: this.#exchanges,
      pulled: this.#pulled,
      pushed: this.#pushed,
      healed: this.#healed,
      unhealed: this.#healer.unhealed,
      lost: this.#lost.partitions().length,
      treesBuilt: this.#forest.built,
    }
  }

  #scheduleFigures(): ScheduleFigures {
    return this.#rounds.schedule.figures(this.#parts.env.clock.elapsed())
  }

  async #exchange(plan: ExchangePlan): Promise<ExchangeEnding> {
    const { partition, peer } = plan
    const beganAt = this.#parts.env.clock.elapsed()
    const losses = this.#lost.losses(partition)
    const ending = await this.#exchanger.run(plan)
    this.#count(plan, ending, beganAt)
    if (plan.segments !== undefined || plan.bucket !== undefined) return ending
    this.#rounds.ended({ partition, peer }, ending, beganAt)
    if (ending.pulledAll) await this.#keep(this.#lost.merged(partition, peer, losses))
    return ending
  }

  #count({ partition, peer }: ExchangePlan, ending: ExchangeEnding, beganAt: Millis): void {
    const { complete, code, tally } = ending
    const { segments, keys, pulled, pushed, healed, unhealed } = tally
    this.#exchanges++
    this.#pulled += pulled
    this.#pushed += pushed
    this.#healed += healed
    const tookMs = millis(this.#parts.env.clock.elapsed() - beganAt)
    this.#parts.tell({
      ...{ kind: 'exchangeEnded', partition, peer, complete, code, tookMs },
      ...{ segments, keys, pulled, pushed, healed, unhealed },
    })
  }

  /** A failing disk stops the node by itself; here it only means that progress is forgotten. */
  async #keep(work: Promise<unknown>): Promise<void> {
    try {
      await work
    } catch (error) {
      if (!(error instanceof ShoalError)) this.#parts.env.halt(error as Error)
    }
  }
}
