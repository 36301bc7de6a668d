import { type Env, limits, type Millis, millis, type Partition, type Timer } from '@shoal/kernel'
import type { Store } from '@shoal/storage'
import { ScrubCalendar } from '../core/scrub-calendar.ts'
import type { Budget, Placement } from '../ports.ts'
import type { Scrubber } from './scrubber.ts'

export interface ScrubRoundsParts {
  readonly env: Env
  readonly store: Store
  readonly placement: () => Placement
  readonly scrubber: Scrubber
  readonly budget: Budget
  readonly interval: Millis
}

const PREFIX = Buffer.from('scrubbed ')
const LOOK_AGAIN = millis(1_000)
/** Timers are not trusted with weeks: a wall clock may jump meanwhile. */
const LONGEST_WAIT = millis(60_000)

/**
 * Scrubs partition after partition in the background, and before that the segments that somebody
 * doubts. `meta` holds for each partition when it was last done: `scrubbed `, u16 partition; f64
 * Unix time.
 */
export class ScrubRounds {
  readonly #parts: ScrubRoundsParts
  readonly #calendar: ScrubCalendar
  readonly #doubts = new Map<Partition, Set<number>>()
  #doubted = 0
  /** Segments that are checked now, or could not be read when they were; oldest first. */
  readonly #checked = new Map<number, Millis>()
  #timer: Timer | undefined
  #working = false
  #isRunning = false
  #isStopped = false

  constructor(parts: ScrubRoundsParts) {
    this.#parts = parts
    this.#calendar = new ScrubCalendar(parts.interval)
  }

  async open(): Promise<void> {
    const to = Buffer.concat([PREFIX, Buffer.of(0xff, 0xff, 0xff)])
    const limit = limits.partitionsMax
    const page = await this.#parts.store.scan({ column: 'meta', from: PREFIX, to, limit })
    for (const { key, value } of page.rows) {
      if (key.length !== PREFIX.length + 2 || value.length !== 8) continue
      const partition = key.readUInt16BE(PREFIX.length) as Partition
      this.#calendar.scrubbed(partition, millis(value.readDoubleBE()))
    }
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
    const { self } = placement()
    const chance = (): number => env.random('antientropy').below(1_000_000) / 1_000_000
    this.#calendar.hold(placement().partitionsOf(self), env.clock.wall(), chance)
    this.#wake()
  }

  /**
   * Segments to be checked before anything else; bounded, the scrub finds the rest. A check whose
   * exchanges cast the same doubt again would never end where no copy can mend what it found.
   */
  doubt(partition: Partition, segments: readonly number[]): void {
    const known = this.#doubts.get(partition) ?? new Set()
    for (const segment of segments) {
      if (known.has(segment) || this.#doubted >= limits.doubtfulSegmentsMax) continue
      if (this.#wasChecked(partition, segment)) continue
      known.add(segment)
      this.#doubted++
    }
    if (known.size > 0) this.#doubts.set(partition, known)
    this.#wake()
  }

  /** A partition was scrubbed at somebody's request: that counts. */
  done(partition: Partition): void {
    const wall = this.#parts.env.clock.wall()
    this.#calendar.scrubbed(partition, wall)
    const { store } = this.#parts
    const key = Buffer.concat([PREFIX, Buffer.alloc(2)])
    key.writeUInt16BE(partition, PREFIX.length)
    const value = Buffer.allocUnsafe(8)
    value.writeDoubleBE(wall)
    const batch = store.batch()
    batch.put('meta', key, value)
    // Without a sync of its own: what a crash takes away is scrubbed again.
    store.write(batch)
  }

  #wake(): void {
    if (!this.#isRunning || this.#isStopped || this.#working) return
    this.#timer?.cancel()
    const wait = this.#wait()
    if (wait === undefined) return
    if (wait > 0) {
      this.#timer = this.#parts.env.clock.after(wait, () => this.#wake())
      return
    }
    this.#working = true
    this.#work()
      .catch((error: unknown) => {
        if (this.#isStopped) return
        // The halt takes its time; until then nothing here begins again.
        this.stop()
        this.#parts.env.halt(error as Error)
      })
      .finally(() => {
        this.#working = false
        this.#wake()
      })
  }

  /** 0 when there is something to do; undefined when there never will be. */
  #wait(): Millis | undefined {
    const { budget, env } = this.#parts
    const next = this.#calendar.next()
    if (this.#doubts.size === 0 && next === undefined) return undefined
    if (budget.paused) return LOOK_AGAIN
    if (this.#doubts.size > 0) return millis(0)
    const wait = (next?.dueAt ?? 0) - env.clock.wall()
    return millis(Math.min(LONGEST_WAIT, Math.max(0, wait)))
  }

  async #work(): Promise<void> {
    const { scrubber } = this.#parts
    const [doubted] = this.#doubts
    if (doubted) {
      const [partition, segments] = doubted
      this.#doubts.delete(partition)
      this.#doubted -= segments.size
      this.#noteChecked(partition, segments)
      const { unreadable } = await scrubber.checkSegments(partition, [...segments])
      if (unreadable > 0) return
      for (const segment of segments) this.#checked.delete(placeOf(partition, segment))
      return
    }
    const next = this.#calendar.next()
    if (!next) return
    await scrubber.scrub(next.partition)
    if (!this.#isStopped) this.done(next.partition)
  }

  #noteChecked(partition: Partition, segments: ReadonlySet<number>): void {
    const now = this.#parts.env.clock.elapsed()
    for (const segment of segments) {
      const place = placeOf(partition, segment)
      this.#checked.delete(place)
      this.#checked.set(place, now)
    }
    for (const [place, at] of this.#checked) {
      const isOld = now - at >= limits.doubtAgainAfter
      if (!isOld && this.#checked.size <= limits.doubtfulSegmentsMax) break
      this.#checked.delete(place)
    }
  }

  #wasChecked(partition: Partition, segment: number): boolean {
    const at = this.#checked.get(placeOf(partition, segment))
    return at !== undefined && this.#parts.env.clock.elapsed() - at < limits.doubtAgainAfter
  }
}

const placeOf = (partition: Partition, segment: number): number =>
  partition * limits.digestSegments + segment
