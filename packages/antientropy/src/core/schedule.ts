import { limits, type Millis, millis, type NodeId, type Partition } from '@shoal/kernel'

/**
 * Which exchange comes next (E3).
 *
 * A round that visits pair after pair is late for all of them when one is slow, and treats a
 * replica that was away for an hour like one that was compared a minute ago. So each pair has a
 * time at which it is due, and a reason may put it before the others.
 *
 * Due times are spread over a quarter of the interval, so that pairs which became due together
 * (after a start) drift apart.
 */
export type Reason =
  /** The peer, or this node, was away. */
  | 'returned'
  /** A write is known not to have reached the peer (H2). */
  | 'dirty'
  /** The interval has passed. */
  | 'due'

/** Best first. */
const reasons: readonly Reason[] = ['returned', 'dirty', 'due']

export interface PairKey {
  readonly partition: Partition
  readonly peer: NodeId
}

/** What is known of one pair: this node's copy of a partition and a peer's. */
export interface Pair extends PairKey {
  readonly reason: Reason
  /** On the elapsed clock: not before. */
  readonly dueAt: Millis
  /** When the last exchange began that ended complete; undefined since this node started. */
  readonly verifiedAt: Millis | undefined
  /** Segments found different and not made equal. */
  readonly divergent: number
  /** Exchanges in a row that ended otherwise. */
  readonly failures: number
  readonly running: boolean
  /** Urged while its exchange was under way: that one may have come too early. */
  readonly again: boolean
  /** By chance, for those that are due at one moment: two nodes go through them differently. */
  readonly lot: number
}

const FIRST_RETRY = 2_000
/** How long a peer is left alone with what it has begun to make equal. */
const MAKE_WAY = 1_000
/** Due after half to three quarters of the interval: the rest is for waiting in line. */
const DUE_FROM = 0.5
const DUE_SPREAD = 0.25

export class Schedule {
  readonly #interval: Millis
  readonly #pairs = new Map<string, Pair>()
  readonly #startedAt: Millis

  constructor(options: { readonly now: Millis; readonly interval?: Millis }) {
    this.#startedAt = options.now
    this.#interval = options.interval ?? limits.exchangeInterval
  }

  /**
   * The pairs there are, by the ring. New ones are as after a return: nothing is known of them.
   */
  setPairs(keys: readonly PairKey[], now: Millis, chance: () => number = () => 0): void {
    const wanted = new Map(keys.map((key) => [nameOf(key), key]))
    for (const name of this.#pairs.keys()) if (!wanted.has(name)) this.#pairs.delete(name)
    for (const [name, { partition, peer }] of wanted) {
      if (this.#pairs.has(name)) continue
      this.#pairs.set(name, {
        partition,
        peer,
        reason: 'returned',
        dueAt: now,
        verifiedAt: undefined,
        divergent: 0,
        failures: 0,
        running: false,
        again: false,
        lot: chance(),
      })
    }
  }

  get pairs(): Iterable<Pair> {
    return this.#pairs.values()
  }

  find(key: PairKey): Pair | undefined {
    return this.#pairs.get(nameOf(key))
  }

  /** Puts a pair before those with lesser reasons, from now on. */
  urge(key: PairKey, reason: Reason, now: Millis): void {
    const pair = this.find(key)
    if (!pair) return
    const better = rank(reason) < rank(pair.reason) ? reason : pair.reason
    const dueAt = millis(Math.min(pair.dueAt, now))
    this.#set({ ...pair, reason: better, dueAt, again: pair.running })
  }

  /** The peer is back: everything shared with it comes before everything else. */
  returned(peer: NodeId, now: Millis): void {
    for (const pair of [...this.#pairs.values()]) {
      if (pair.peer === peer) this.urge(pair, 'returned', now)
    }
  }

  /**
   * The pair to compare now, or undefined when none is due.
   *
   * @param isFree  whether the peer is up and no exchange with it is under way
   * Cost: one look at each pair.
   */
  next(now: Millis, isFree: (peer: NodeId) => boolean): Pair | undefined {
    let best: Pair | undefined
    for (const pair of this.#pairs.values()) {
      if (pair.running || pair.dueAt > now || !isFree(pair.peer)) continue
      if (best === undefined || isBefore(pair, best)) best = pair
    }
    return best
  }

  begun(key: PairKey): void {
    const pair = this.find(key)
    if (pair) this.#set({ ...pair, running: true, again: false })
  }

  /**
   * An exchange of the pair has ended.
   *
   * @param ended.beganAt   what both held then is equal now, if `complete`
   * @param ended.chance    0 ≤ chance < 1
   */
  ended(
    key: PairKey,
    ended: {
      readonly complete: boolean
      readonly beganAt: Millis
      readonly divergent: number
      readonly now: Millis
      readonly chance: number
    },
  ): void {
    const pair = this.find(key)
    if (!pair) return
    if (ended.complete) {
      const verified = this.#verified(pair, ended)
      const { reason } = pair
      return this.#set(pair.again ? { ...verified, reason, dueAt: ended.now } : verified)
    }
    const failures = pair.failures + 1
    // The interval holds for pairs that failed too.
    const longest = Math.min(limits.exchangeRetryMax, this.#interval / 4)
    const most = Math.min(longest, FIRST_RETRY * 2 ** Math.min(failures - 1, 16))
    const wait = most * (0.5 + ended.chance / 2)
    this.#set({
      ...pair,
      running: false,
      again: false,
      failures,
      divergent: Math.max(pair.divergent, ended.divergent),
      dueAt: millis(ended.now + wait),
    })
  }

  /** The peer compared itself with us and found the roots equal: that serves us as well. */
  foundEqual(key: PairKey, now: Millis, chance: number): void {
    const pair = this.find(key)
    // One under way ends by itself. One known dirty was equal before the write arrived there.
    if (!pair || pair.running) return
    this.#set(this.#verified(pair, { beganAt: now, chance }))
  }

  /** The peer has begun to compare the pair and found it different: that serves us as well. */
  foundDifferent(key: PairKey, now: Millis): void {
    const pair = this.find(key)
    if (!pair || pair.running) return
    this.#set({ ...pair, dueAt: millis(Math.max(pair.dueAt, now + MAKE_WAY)) })
  }

  /** When the next pair becomes due; undefined when there is none. */
  nextDueAt(): Millis | undefined {
    let first: Millis | undefined
    for (const { dueAt, running } of this.#pairs.values()) {
      if (!running && (first === undefined || dueAt < first)) first = dueAt
    }
    return first
  }

  /** What is not yet known to be equal (E6). */
  figures(now: Millis): ScheduleFigures {
    let oldest = now
    let unverified = 0
    let divergent = 0
    let oldestPair: PairKey | undefined
    for (const pair of this.#pairs.values()) {
      divergent += pair.divergent
      if (pair.verifiedAt === undefined) unverified++
      const since = pair.verifiedAt ?? this.#startedAt
      if (since >= oldest && oldestPair !== undefined) continue
      oldest = millis(Math.min(since, oldest))
      oldestPair = { partition: pair.partition, peer: pair.peer }
    }
    return {
      pairs: this.#pairs.size,
      unverified,
      divergentSegments: divergent,
      oldestUnverified: millis(now - oldest),
      oldestPair,
    }
  }

  #verified(pair: Pair, { beganAt, chance }: { beganAt: Millis; chance: number }): Pair {
    const wait = this.#interval * (DUE_FROM + DUE_SPREAD * chance)
    return {
      ...pair,
      reason: 'due',
      running: false,
      again: false,
      failures: 0,
      divergent: 0,
      verifiedAt: beganAt,
      dueAt: millis(beganAt + wait),
    }
  }

  #set(pair: Pair): void {
    this.#pairs.set(nameOf(pair), pair)
  }
}

export interface ScheduleFigures {
  readonly pairs: number
  /** Never compared to the end since this node started. */
  readonly unverified: number
  readonly divergentSegments: number
  /** How long ago the pair began its last complete exchange that is worst off. */
  readonly oldestUnverified: Millis
  readonly oldestPair: PairKey | undefined
}

const rank = (reason: Reason): number => reasons.indexOf(reason)

/** By reason, then the one that has waited longest, then by lot. */
function isBefore(pair: Pair, other: Pair): boolean {
  const difference = rank(pair.reason) - rank(other.reason)
  if (difference !== 0) return difference < 0
  return pair.dueAt < other.dueAt || (pair.dueAt === other.dueAt && pair.lot < other.lot)
}

const nameOf = ({ partition, peer }: PairKey): string => `${partition} ${peer}`
