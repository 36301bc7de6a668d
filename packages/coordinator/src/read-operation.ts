import { compareClocks } from '@shoal/causality'
import {
  type ErrorCode,
  invariant,
  type Millis,
  millis,
  ShoalError,
  unreachable,
} from '@shoal/kernel'
import { type KnownRow, knownRow, mergeKnownRows, type RowSink } from '@shoal/replica'
import { verifyRow } from '@shoal/storage'
import { answerKinds, decodeRefusal, encodeRead, questionKinds, readFlags } from '@shoal/wire'
import { Confirmation } from './confirmation.ts'
import { bit, countOf, type Verdict } from './core/judge.ts'
import {
  beginRead,
  type ReadEffect,
  type ReadEvent,
  type ReadState,
  stepRead,
} from './core/read-machine.ts'
import { indices } from './core/write-machine.ts'
import { type DeadlineEntry, unlisted } from './deadlines.ts'
import { type Desk, noteFailure, timeLeft } from './desk.ts'
import type { PeerSink } from './ports.ts'
import type { Progress } from './progress.ts'
import { repairReplica } from './repair.ts'
import type { EffectiveConsistency, Receipt } from './requests.ts'

export interface ReadPlan {
  readonly rowKey: Buffer
  readonly consistency: EffectiveConsistency
  /** This node's place among the candidates, −1 when it is no replica of the key. */
  readonly self: number
  /** Reachable primaries, best first, this node first of all where it is one. */
  readonly order: readonly number[]
  /** What the session has seen of this key (S1). */
  readonly sessionClock: Buffer | undefined
  readonly deadline: Millis
  readonly progress: Progress
}

export interface ReadResult {
  /** The merge of all answers so far; undefined when R primaries never held the key (Q4). */
  readonly known: KnownRow | undefined
  readonly receipt: Receipt
}

/**
 * Drives the read machine. The own row is read first; peers are then asked with the digest of its
 * version and answer equal ones with one byte. Whoever is found behind is repaired after the reply,
 * and before it where the read is strict (Q5).
 */
export class ReadOperation implements PeerSink, DeadlineEntry {
  deadlineTick: number = unlisted.deadlineTick
  deadlineBefore: DeadlineEntry | undefined
  deadlineAfter: DeadlineEntry | undefined

  readonly #desk: Desk
  readonly #plan: ReadPlan
  readonly #done: (result: ReadResult | ShoalError) => void
  readonly #token: bigint
  #state: ReadState
  #merged: KnownRow | undefined
  /** What each candidate answered: a version, `null` for absent, undefined for nothing yet. */
  readonly #versions: (Buffer | null | undefined)[]
  /** Candidates whose copy failed its checksum. */
  #damaged = 0
  #digest: Buffer | undefined
  /** The own row, whose digest the peers were asked with. */
  #digestOf: KnownRow | undefined
  #waitingForOwn: number[] | undefined
  #replied = false
  #repaired = 0
  #hedge: Hedge | undefined

  constructor(desk: Desk, plan: ReadPlan, done: (result: ReadResult | ShoalError) => void) {
    this.#desk = desk
    this.#plan = plan
    this.#done = done
    this.#token = plan.rowKey.readBigUInt64BE(0)
    this.#versions = new Array(plan.progress.nodes.length)
    const { state, effects } = beginRead({ need: plan.consistency.r, order: plan.order })
    this.#state = state
    this.#effects = effects
  }
  #effects: readonly ReadEffect[]

  start(): void {
    const { deadline, order, self, consistency } = this.#plan
    this.#desk.speeds.began()
    this.#desk.deadlines.add(this, deadline)
    if (order[0] === self) this.#waitingForOwn = []
    for (const effect of this.#effects) this.#perform(effect)
    this.#effects = []
    if (order.length > consistency.r) this.#armHedge()
  }

  ownRow(row: Buffer | undefined): void {
    const { self, progress, consistency } = this.#plan
    const own = row && knownRow(row)
    if (own) {
      this.#digestOf = own
      this.#digest = this.#desk.replica.digestOf(own.version, this.#plan.rowKey)
    }
    this.#releaseWaiting()
    const settle = (): void => {
      progress.note(self, own ? 'row' : 'absent')
      this.#gathered(self, own)
    }
    if (!consistency.strict) return settle()
    this.#desk.replica.whenDurable(settle, () => this.failed(self, 'SHOAL_STORE_FAILED'))
  }

  answered(tag: number, kind: number, body: Buffer): void {
    const { progress } = this.#plan
    const node = progress.nodes[tag]
    if (node)
      this.#desk.speeds.answered(node, millis(this.#desk.env.clock.elapsed() - progress.began))
    switch (kind) {
      case answerKinds.same:
        progress.note(tag, 'same')
        invariant(this.#digestOf !== undefined, 'a replica says `same` only to a digest')
        // In a strict read the own copy may still wait for its sync: this one holds the same.
        return this.#gathered(tag, this.#digestOf)
      case answerKinds.absent:
        progress.note(tag, 'absent')
        return this.#gathered(tag, undefined)
      case answerKinds.row:
        if (verifyRow(body, this.#token) !== 'ok') return this.failed(tag, 'SHOAL_ROW_DAMAGED')
        progress.note(tag, 'row')
        return this.#gathered(tag, knownRow(body))
      default:
        return this.failed(
          tag,
          kind === answerKinds.refused ? decodeRefusal(body) : 'SHOAL_FRAME_INVALID',
        )
    }
  }

  failed(tag: number, code: ErrorCode): void {
    const { progress } = this.#plan
    const node = progress.nodes[tag]
    if (tag === this.#plan.self) {
      this.#releaseWaiting()
    } else if (node) {
      this.#desk.speeds.failed(node)
      noteFailure(this.#desk, node, code, progress.began)
    }
    if (code === 'SHOAL_ROW_DAMAGED') this.#damaged |= bit(tag)
    progress.note(tag, code)
    this.#feed({ kind: 'failed', by: tag })
    if (this.#replied && code === 'SHOAL_ROW_DAMAGED') this.#repairBehind()
  }

  onDeadline(): void {
    this.#feed({ kind: 'expired' })
  }

  /** The last answer is late: ask one more (Q2). */
  slow(): void {
    if (this.#state.kind !== 'gathering') return
    this.#noteLate()
    if (!this.#desk.speeds.mayHedge()) return
    this.#plan.progress.mark(this.#desk.self, 'hedged')
    this.#feed({ kind: 'slow' })
  }

  /** Reads that begin from now on ask others first, whether this one may be hedged or not. */
  #noteLate(): void {
    const { asked, answered, failed } = this.#state
    const { progress, self } = this.#plan
    for (const candidate of indices(asked & ~answered & ~failed)) {
      const node = progress.nodes[candidate]
      if (candidate !== self && node) this.#desk.speeds.failed(node)
    }
  }

  #gathered(candidate: number, known: KnownRow | undefined): void {
    try {
      if (known && known !== this.#merged) {
        this.#merged = this.#merged ? mergeKnownRows(this.#merged, known, this.#token) : known
      }
    } catch (error) {
      // A copy that contradicts another (V1) does not count.
      if (!(error instanceof ShoalError)) throw error
      return this.failed(candidate, error.code)
    }
    this.#versions[candidate] = known ? known.version : null
    this.#answeredBy(candidate)
  }

  #answeredBy(candidate: number): void {
    this.#feed({ kind: 'answered', by: candidate })
    // Late answers beyond R are worth repairing too.
    if (this.#replied) this.#repairBehind()
  }

  #feed(event: ReadEvent): void {
    const { state, effects } = stepRead(this.#state, event)
    this.#state = state
    for (const effect of effects) this.#perform(effect)
  }

  #perform(effect: ReadEffect): void {
    switch (effect.kind) {
      case 'ask':
        return this.#ask(effect.candidate)
      case 'reply':
        return this.#over(effect.verdict)
      default:
        return unreachable(effect)
    }
  }

  #ask(candidate: number): void {
    if (candidate === this.#plan.self) {
      return this.#desk.replica.read(this.#plan.rowKey, new OwnRow(this, candidate))
    }
    if (this.#waitingForOwn) this.#waitingForOwn.push(candidate)
    else this.#askPeer(candidate)
  }

  /** The own version is known now: peers may be asked with its digest. */
  #releaseWaiting(): void {
    const waiting = this.#waitingForOwn
    this.#waitingForOwn = undefined
    for (const candidate of waiting ?? []) this.#askPeer(candidate)
  }

  #askPeer(candidate: number): void {
    const { rowKey, consistency, deadline, progress } = this.#plan
    const to = progress.nodes[candidate]
    invariant(to !== undefined, 'a candidate has a node')
    const left = timeLeft(this.#desk, deadline)
    const body = encodeRead(consistency.strict ? readFlags.durable : 0, this.#digest, rowKey)
    this.#desk.peers.ask(
      { to, kind: questionKinds.read, body, timeout: left, tag: candidate },
      this,
    )
  }

  #armHedge(): void {
    this.#hedge = new Hedge(this)
    const { speeds, hedges, env } = this.#desk
    const wait = env.inject('coordinator: a hedge at once') ? 0 : speeds.hedgeAfter
    hedges.add(this.#hedge, millis(env.clock.elapsed() + wait))
  }

  #over(verdict: Exclude<Verdict, 'undecided'>): void {
    if (verdict === 'met' && !this.#satisfiesSession()) return this.#feed({ kind: 'insufficient' })
    if (this.#hedge) this.#desk.hedges.remove(this.#hedge)
    if (verdict !== 'met') return this.#finish(this.#failure(verdict))
    if (this.#plan.consistency.strict) return this.#confirm()
    this.#finish()
  }

  #satisfiesSession(): boolean {
    const { sessionClock } = this.#plan
    if (!sessionClock) return true
    if (!this.#merged) return false
    const order = compareClocks(sessionClock, 0, this.#merged.version, 0)
    return order === 'equal' || order === 'before'
  }

  /** A strict read answers once what it shows is durable on N − R + 1 primaries (Q5). */
  #confirm(): void {
    const { consistency, deadline, progress, rowKey, self } = this.#plan
    const merged = this.#merged
    if (!merged) return this.#finish()
    const holding = this.#holders(merged.version)
    new Confirmation(this.#desk, {
      rowKey,
      row: merged.row,
      need: consistency.n - consistency.r + 1,
      holding,
      self,
      reachable: this.#plan.order.reduce((set, candidate) => set | bit(candidate), 0),
      deadline,
      progress,
      done: (asked, failure) => {
        this.#repaired += countOf(asked)
        for (const candidate of indices(asked)) this.#versions[candidate] = merged.version
        // What came in meanwhile is newer and not confirmed: it may not be shown (Q5).
        this.#finish(failure, merged)
      },
    }).start()
  }

  #holders(version: Buffer): number {
    let holders = 0
    for (let candidate = 0; candidate < this.#versions.length; candidate++) {
      if (this.#versions[candidate]?.equals(version)) holders |= bit(candidate)
    }
    return holders
  }

  #finish(failure?: ShoalError, shown = this.#merged): void {
    this.#desk.deadlines.remove(this)
    this.#replied = true
    this.#repairBehind()
    this.#done(failure ?? { known: shown, receipt: this.#receipt() })
  }

  /** Sends the merged state to every replica that answered with less, or with damage. */
  #repairBehind(): void {
    const merged = this.#merged
    if (!merged) return
    const { rowKey, self, progress } = this.#plan
    for (let candidate = 0; candidate < this.#versions.length; candidate++) {
      const version = this.#versions[candidate]
      const heal = (this.#damaged & bit(candidate)) !== 0
      const behind = version !== undefined && (version === null || !version.equals(merged.version))
      if (!behind && !heal) continue
      this.#damaged &= ~bit(candidate)
      this.#versions[candidate] = merged.version
      const node = candidate === self ? undefined : progress.nodes[candidate]
      if (repairReplica(this.#desk, { node, rowKey, row: merged.row, heal })) this.#repaired++
    }
  }

  #receipt(): Receipt {
    const answered = countOf(this.#state.answered)
    return {
      n: this.#plan.consistency.n,
      need: this.#plan.consistency.r,
      ack: answered,
      primaries: answered,
      fallbacks: 0,
      hinted: 0,
      repaired: this.#repaired,
      epoch: this.#desk.ring().epoch,
      node: this.#desk.self,
    }
  }

  #failure(verdict: 'impossible' | 'timed-out'): ShoalError {
    const { consistency, progress } = this.#plan
    const got = countOf(this.#state.answered)
    const details = { wanted: consistency.r, got, replicas: progress.reports() }
    if (got >= consistency.r) {
      return new ShoalError(
        'SHOAL_SESSION_UNSATISFIED',
        `${got} replicas answered and none of them has what this session has seen of the key.`,
        { ...details, retryAfterMs: 100 },
      )
    }
    const allDamaged = this.#damaged !== 0 && this.#damaged === this.#state.failed && got === 0
    if (allDamaged) {
      return new ShoalError(
        'SHOAL_DATA_DAMAGED',
        'Every replica asked has a damaged copy.',
        details,
      )
    }
    return new ShoalError(
      verdict === 'impossible' ? 'SHOAL_QUORUM_UNMET' : 'SHOAL_QUORUM_TIMEOUT',
      `Wanted ${consistency.r} answers; had ${got}.`,
      { ...details, outcome: 'not-applied' },
    )
  }
}

/** The own disk's answer. */
class OwnRow implements RowSink {
  readonly #read: ReadOperation
  readonly #self: number

  constructor(read: ReadOperation, self: number) {
    this.#read = read
    this.#self = self
  }

  row(row: Buffer | undefined): void {
    this.#read.ownRow(row)
  }

  failed(code: ErrorCode): void {
    this.#read.failed(this.#self, code)
  }
}

/** The hedge of one read; a listing of its own beside the deadline's. */
class Hedge implements DeadlineEntry {
  deadlineTick: number = unlisted.deadlineTick
  deadlineBefore: DeadlineEntry | undefined
  deadlineAfter: DeadlineEntry | undefined
  readonly #read: ReadOperation

  constructor(read: ReadOperation) {
    this.#read = read
  }

  onDeadline(): void {
    this.#read.slow()
  }
}
