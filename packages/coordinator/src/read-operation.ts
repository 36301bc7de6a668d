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
  addCandidates,
  beginRead,
  isExhausted,
  type ReadEffect,
  type ReadEvent,
  type ReadState,
  stepRead,
} from './core/read-machine.ts'
import { indices } from './core/write-machine.ts'
import { type DeadlineEntry, unlisted } from './deadlines.ts'
import { type Desk, noteFailure, timeLeft } from './desk.ts'
import type { Place } from './place.ts'
import type { PeerSink } from './ports.ts'
import type { Progress } from './progress.ts'
import { repairReplica } from './repair.ts'
import type { EffectiveConsistency, Receipt } from './requests.ts'
import { standInsFor } from './stand-ins.ts'

export interface ReadPlan {
  readonly place: Place
  readonly consistency: EffectiveConsistency
  /** Whom to ask, best first, this node first of all where it is a primary. */
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
  readonly #rowKey: Buffer
  /** This node's place among the candidates, −1 when it is none. */
  #self: number
  /** Whether everybody who may stand in for a primary is a candidate. */
  #enlisted: boolean
  #state: ReadState
  #merged: KnownRow | undefined
  /** What each candidate answered: a version, `null` for absent, undefined for nothing yet. */
  readonly #versions: (Buffer | null | undefined)[]
  /** Candidates whose copy failed its checksum. */
  #damaged = 0
  /** Primaries that answered and lost data: they count only where everybody has answered. */
  #incomplete = 0
  /** Too few count, so everybody is waited for: together they know all there is (Q6). */
  #waitsForAll = false
  /** Nobody is waited for any more. */
  #heardAll = false
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
    const { progress, place } = plan
    this.#rowKey = place.rowKey
    this.#token = place.rowKey.readBigUInt64BE(0)
    this.#self = progress.nodes.indexOf(desk.self)
    this.#enlisted = progress.nodes.length > progress.primaries || plan.consistency.strict
    this.#versions = new Array(progress.nodes.length)
    const { state, effects } = beginRead({ need: plan.consistency.r, order: plan.order })
    this.#state = state
    this.#effects = effects
  }
  #effects: readonly ReadEffect[]

  start(): void {
    const { deadline, order, consistency } = this.#plan
    this.#desk.speeds.began()
    this.#desk.deadlines.add(this, deadline)
    if (order[0] === this.#self) this.#waitingForOwn = []
    for (const effect of this.#effects) this.#perform(effect)
    this.#effects = []
    if (order.length > consistency.r) this.#armHedge()
  }

  ownRow(row: Buffer | undefined): void {
    const { progress, consistency, place } = this.#plan
    const self = this.#self
    const own = row && knownRow(row)
    if (own) {
      this.#digestOf = own
      this.#digest = this.#desk.replica.digestOf(own.version, this.#rowKey)
    }
    this.#releaseWaiting()
    const settle = (): void => {
      progress.note(self, own ? 'row' : 'absent')
      const isLost = this.#desk.lost?.countsToReads(place.partition) === false
      if (!isLost || !consistency.strict) return this.#gathered(self, own)
      this.#learn(self, own)
      this.failed(self, 'SHOAL_REPLICA_LOST')
    }
    if (!consistency.strict) return settle()
    this.#desk.replica.whenDurable(settle, () => this.failed(self, 'SHOAL_STORE_FAILED'))
  }

  /** @param more  it lost data: what it knows is welcome, and does not count (Q6) */
  answered(tag: number, kind: number, body: Buffer, more = false): void {
    const { progress } = this.#plan
    const node = progress.nodes[tag]
    if (more) return this.#learnFrom(tag, kind, body)
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
    if (tag === this.#self) {
      this.#releaseWaiting()
    } else if (node && code !== 'SHOAL_REPLICA_LOST') {
      this.#desk.speeds.failed(node)
      noteFailure(this.#desk, node, code, progress.began)
    }
    if (code === 'SHOAL_ROW_DAMAGED') this.#damaged |= bit(tag)
    // Of one whose row did not arrive, or was damaged on its way, nothing is known.
    const isKnown = this.#versions[tag] !== undefined
    if (code === 'SHOAL_REPLICA_LOST' && isKnown) this.#incomplete |= bit(tag)
    progress.note(tag, code)
    this.#fail(tag)
    if (this.#replied && code === 'SHOAL_ROW_DAMAGED') this.#repairBehind()
  }

  #fail(candidate: number): void {
    if (this.#state.kind !== 'settled' && isExhausted(this.#state)) this.#enlistStandIns(candidate)
    this.#feed({ kind: 'failed', by: candidate })
    this.#endWait()
  }

  /** All primaries were thought to answer, and they do not suffice (Q4, S1). */
  #enlistStandIns(failed?: number): void {
    if (this.#enlisted) return
    this.#enlisted = true
    const { place, progress } = this.#plan
    const standIns = standInsFor(this.#desk, place, failed === undefined ? 0 : bit(failed))
    if (standIns.length === 0) return
    this.#state = addCandidates(this.#state, indices(progress.enlist(standIns)))
    this.#self = progress.nodes.indexOf(this.#desk.self)
  }

  onDeadline(): void {
    if (this.#waitsForAll && !this.#heardAll) {
      this.#heardAll = true
      return this.#finish(this.#failure('timed-out'))
    }
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
    const { progress } = this.#plan
    for (const candidate of indices(asked & ~answered & ~failed)) {
      const node = progress.nodes[candidate]
      if (candidate !== this.#self && node) this.#desk.speeds.failed(node)
    }
  }

  #gathered(candidate: number, known: KnownRow | undefined): void {
    const fault = this.#learn(candidate, known)
    if (fault) return this.failed(candidate, fault)
    // Who stands in for another need not have heard of the key: that says nothing of it (Q4).
    if (!known && candidate >= this.#plan.progress.primaries) return this.#fail(candidate)
    this.#answeredBy(candidate)
  }

  /** @returns why its copy does not count */
  #learn(candidate: number, known: KnownRow | undefined): ErrorCode | undefined {
    try {
      if (known && known !== this.#merged) {
        this.#merged = this.#merged ? mergeKnownRows(this.#merged, known, this.#token) : known
      }
    } catch (error) {
      // A copy that contradicts another (V1) does not count.
      if (!(error instanceof ShoalError)) throw error
      return error.code
    }
    this.#versions[candidate] = known ? known.version : null
    return undefined
  }

  #learnFrom(candidate: number, kind: number, body: Buffer): void {
    if (kind === answerKinds.absent) this.#learn(candidate, undefined)
    if (kind === answerKinds.same) this.#learn(candidate, this.#digestOf)
    if (kind !== answerKinds.row || verifyRow(body, this.#token) !== 'ok') return
    this.#learn(candidate, knownRow(body))
  }

  #answeredBy(candidate: number): void {
    this.#feed({ kind: 'answered', by: candidate })
    this.#endWait()
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
    if (candidate === this.#self) {
      this.#plan.progress.asked(candidate)
      return this.#desk.replica.read(this.#rowKey, new OwnRow(this, candidate))
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
    const { consistency, deadline, progress } = this.#plan
    const to = progress.nodes[candidate]
    invariant(to !== undefined, 'a candidate has a node')
    const left = timeLeft(this.#desk, deadline)
    const flags = consistency.strict ? readFlags.durable | readFlags.counted : 0
    const body = encodeRead(flags, this.#digest, this.#rowKey)
    progress.asked(candidate)
    const trace = progress.carried
    this.#desk.peers.ask(
      { to, kind: questionKinds.read, body, timeout: left, tag: candidate, trace },
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
    if (verdict === 'met' && !this.#satisfiesSession()) {
      this.#enlistStandIns()
      return this.#feed({ kind: 'insufficient' })
    }
    if (this.#hedge) this.#desk.hedges.remove(this.#hedge)
    if (verdict === 'impossible' && this.#incomplete !== 0) {
      this.#waitsForAll = true
      return this.#endWait()
    }
    if (verdict !== 'met') return this.#finish(this.#failure(verdict))
    if (this.#plan.consistency.strict) return this.#confirm()
    this.#finish()
  }

  /**
   * Once every primary has answered, those that lost data too, nothing is anywhere that could make
   * the answer a lie. So a new cluster, in which all disks are new, can be read at once (Q6).
   */
  #endWait(): void {
    const { asked, answered, failed } = this.#state
    if (!this.#waitsForAll || this.#heardAll || (asked & ~answered & ~failed) !== 0) return
    this.#heardAll = true
    const heard = countOf(answered | this.#incomplete)
    const isAll = heard === this.#plan.progress.primaries && this.#satisfiesSession()
    if (isAll) this.#confirm()
    else this.#finish(this.#failure('impossible'))
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
    const { consistency, deadline, progress } = this.#plan
    const merged = this.#merged
    if (!merged) return this.#finish()
    const holding = this.#holders(merged.version)
    new Confirmation(this.#desk, {
      rowKey: this.#rowKey,
      row: merged.row,
      need: consistency.n - consistency.r + 1,
      holding,
      self: this.#self,
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
    if (failure === undefined) this.#plan.progress.reached()
    this.#repairBehind()
    this.#done(failure ?? { known: shown, receipt: this.#receipt() })
  }

  /** Sends the merged state to every replica that answered with less, or with damage. */
  #repairBehind(): void {
    const merged = this.#merged
    if (!merged) return
    const { progress } = this.#plan
    const rowKey = this.#rowKey
    // A fallback keeps what it has for others: it is not told of the rest.
    for (let candidate = 0; candidate < progress.primaries; candidate++) {
      const version = this.#versions[candidate]
      const heal = (this.#damaged & bit(candidate)) !== 0
      const behind = version !== undefined && (version === null || !version.equals(merged.version))
      if (!behind && !heal) continue
      this.#damaged &= ~bit(candidate)
      this.#versions[candidate] = merged.version
      const node = candidate === this.#self ? undefined : progress.nodes[candidate]
      if (repairReplica(this.#desk, { node, rowKey, row: merged.row, heal })) this.#repaired++
    }
  }

  #receipt(): Receipt {
    const answered = this.#state.answered | (this.#waitsForAll ? this.#incomplete : 0)
    const primaries = countOf(answered & (bit(this.#plan.progress.primaries) - 1))
    return {
      n: this.#plan.consistency.n,
      need: this.#plan.consistency.r,
      ack: countOf(answered),
      primaries,
      fallbacks: countOf(answered) - primaries,
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
