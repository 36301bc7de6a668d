import { type Env, limits, type Millis, millis, type NodeId, type Timer } from '@shoal/kernel'
import type { ExchangeEnding } from '../core/exchange-machine.ts'
import { type Pair, type PairKey, Schedule } from '../core/schedule.ts'
import { type Budget, othersOf, type Placement } from '../ports.ts'
import type { ExchangePlan } from './exchange-run.ts'
import type { Exchanger } from './exchanger.ts'

export interface RoundsParts {
  readonly env: Env
  readonly placement: () => Placement
  readonly budget: Budget
  readonly exchanger: Exchanger
  readonly interval?: Millis
  /** Carries an exchange out and calls `ended`. */
  readonly exchange: (plan: ExchangePlan) => Promise<unknown>
}

/** How soon a pair is looked at again that is due and cannot run: its peer is down, or a pause. */
const LOOK_AGAIN = millis(1_000)
const SOONEST = millis(20)

/** Compares every pair of replicas in time (E3): drives the schedule. */
export class Rounds {
  readonly #parts: RoundsParts
  readonly #schedule: Schedule
  #timer: Timer | undefined
  #isRunning = false
  #isStopped = false

  constructor(parts: RoundsParts) {
    this.#parts = parts
    const { interval, env } = parts
    this.#schedule = new Schedule({
      now: env.clock.elapsed(),
      ...(interval === undefined ? {} : { interval }),
    })
  }

  get schedule(): Schedule {
    return this.#schedule
  }

  start(): void {
    this.#isRunning = true
    this.ringChanged()
  }

  stop(): void {
    this.#isStopped = true
    this.#timer?.cancel()
  }

  ringChanged(): void {
    const { env, placement } = this.#parts
    this.#schedule.setPairs(pairsOf(placement()), env.clock.elapsed(), () => this.#chance())
    this.wake()
  }

  peerUp(peer: NodeId): void {
    this.#schedule.returned(peer, this.#now())
    this.wake()
  }

  /** This node lost what it had of the pair: as if it came back. */
  returned(pair: PairKey): void {
    this.#schedule.urge(pair, 'returned', this.#now())
    this.wake()
  }

  markDirty(pair: PairKey): void {
    this.#schedule.urge(pair, 'dirty', this.#now())
    this.wake()
  }

  foundDifferent(pair: PairKey): void {
    this.#schedule.foundDifferent(pair, this.#now())
  }

  foundEqual(pair: PairKey): void {
    this.#schedule.foundEqual(pair, this.#now(), this.#chance())
  }

  /** An exchange of the whole pair has ended, whoever asked for it. */
  ended(pair: PairKey, ending: ExchangeEnding, beganAt: Millis): void {
    const { complete, tally } = ending
    const divergent = complete ? 0 : tally.segments
    const now = this.#now()
    this.#schedule.ended(pair, { complete, beganAt, divergent, now, chance: this.#chance() })
  }

  /** Begins what may begin, and arranges to be called again. */
  wake(): void {
    if (!this.#isRunning || this.#isStopped) return
    const { budget, exchanger } = this.#parts
    while (!budget.paused && exchanger.running < limits.exchangesInFlightMax) {
      const pair = this.#schedule.next(this.#now(), (peer) => exchanger.isFree(peer))
      if (!pair) break
      this.#begin(pair)
    }
    this.#arrange()
  }

  #begin(pair: Pair): void {
    const { partition, peer } = pair
    this.#schedule.begun(pair)
    void this.#parts.exchange({ partition, peer }).then(() => this.wake())
  }

  #arrange(): void {
    this.#timer?.cancel()
    const dueAt = this.#schedule.nextDueAt()
    if (dueAt === undefined) return
    const wait = dueAt - this.#now()
    const delay = wait <= 0 ? LOOK_AGAIN : millis(Math.max(SOONEST, wait))
    this.#timer = this.#parts.env.clock.after(delay, () => this.wake())
  }

  #now(): Millis {
    return this.#parts.env.clock.elapsed()
  }

  #chance(): number {
    return this.#parts.env.random('antientropy').below(1_000) / 1_000
  }
}

function pairsOf(placement: Placement): PairKey[] {
  return placement
    .partitionsOf(placement.self)
    .flatMap((partition) => othersOf(placement, partition).map((peer) => ({ partition, peer })))
}
