import type { Partition } from '@shoal/kernel'
import type { ExchangeEnding } from '../core/exchange-machine.ts'
import { GROUP_SEGMENTS, GROUPS } from '../core/groups.ts'
import type { Finding, RunVerdict } from '../core/segment-check.ts'
import {
  type AntiEntropyEvent,
  type LocalReplica,
  othersOf,
  type Peers,
  type Placement,
} from '../ports.ts'
import type { ExchangePlan } from './exchange-run.ts'
import type { Healer } from './healer.ts'
import type { RowChecker } from './row-checker.ts'
import { type Run, segmentsOf } from './row-pages.ts'

export interface ScrubberParts {
  readonly replica: LocalReplica
  readonly peers: Peers
  readonly placement: () => Placement
  readonly checker: Pick<RowChecker, 'check'>
  readonly healer: Pick<Healer, 'heal'>
  readonly exchange: (plan: ExchangePlan) => Promise<ExchangeEnding>
  readonly tell: (event: AntiEntropyEvent) => void
  /** Rows of the partition were not those its digests told of: some may be gone (Q6). */
  readonly lost: (partition: Partition) => void
}

export interface ScrubReport {
  readonly rows: number
  readonly tombstones: number
  /** Segments whose digest was not that of their rows, and how many of them were put right. */
  readonly wrong: number
  readonly corrected: number
  /** Damaged rows and records, and how many of them a copy has replaced. */
  readonly damaged: number
  readonly healed: number
  /** Segments the disk cannot give. */
  readonly unreadable: number
  /** Segments written to each time they were looked at; the next scrub sees them again. */
  readonly busy: number
}

const nothing: ScrubReport = {
  rows: 0,
  tombstones: 0,
  wrong: 0,
  corrected: 0,
  damaged: 0,
  healed: 0,
  unreadable: 0,
  busy: 0,
}

/** Looks at a segment that moves, before it is left to the next scrub. */
const TRIES = 4

/**
 * Reads every row of a partition, verifies it and rebuilds the digests from it (E4), beside the
 * ones in use and without stopping a write. What differs is put right at the end of each group;
 * what is damaged is fetched from the other replicas.
 */
export class Scrubber {
  readonly #parts: ScrubberParts
  #line: Promise<unknown> = Promise.resolve()
  #isStopped = false

  constructor(parts: ScrubberParts) {
    this.#parts = parts
  }

  stop(): void {
    this.#isStopped = true
  }

  /** Resolves when what was asked for so far has ended. */
  async idle(): Promise<void> {
    await this.#line
  }

  /** One partition, when those asked for before are done. */
  scrub(partition: Partition): Promise<ScrubReport> {
    return this.#inLine(async () => {
      let report = nothing
      for (let group = 0; group < GROUPS && !this.#isStopped; group++) {
        const from = group * GROUP_SEGMENTS
        const run = { from, to: from + GROUP_SEGMENTS }
        report = add(report, await this.#checkRun(partition, run))
      }
      if (!this.#isStopped) this.#parts.replica.countedTombstones(partition, report.tombstones)
      this.#parts.tell({ kind: 'scrubEnded', partition, rows: report.rows })
      return report
    })
  }

  /** Single segments, because something cast doubt on them. */
  checkSegments(partition: Partition, segments: readonly number[]): Promise<ScrubReport> {
    return this.#inLine(async () => {
      let report = nothing
      for (const from of segments) {
        if (this.#isStopped) break
        report = add(report, await this.#checkRun(partition, { from, to: from + 1 }))
      }
      return report
    })
  }

  #inLine(work: () => Promise<ScrubReport>): Promise<ScrubReport> {
    const mine = this.#line.then(work)
    this.#line = mine.catch(() => undefined)
    return mine
  }

  async #checkRun(partition: Partition, run: Run): Promise<ScrubReport> {
    const verdict = await this.#parts.checker.check(partition, run)
    if (verdict === undefined) return this.#checkEach(partition, run)
    const report = await this.#settle(partition, verdict)
    let rest = nothing
    for (const segment of verdict.moving) {
      rest = add(rest, await this.#checkMoving(partition, segment))
    }
    // Rows of moving segments are counted once.
    return { ...add(report, rest), rows: report.rows, tombstones: report.tombstones }
  }

  /** One block that cannot be read must not hide its neighbours. */
  async #checkEach(partition: Partition, run: Run): Promise<ScrubReport> {
    if (run.to - run.from === 1) return this.#recover(partition, run.from)
    let report = nothing
    for (const from of segmentsOf(run)) {
      report = add(report, await this.#checkRun(partition, { from, to: from + 1 }))
    }
    return report
  }

  async #checkMoving(partition: Partition, segment: number): Promise<ScrubReport> {
    const run = { from: segment, to: segment + 1 }
    for (let tries = 0; tries < TRIES; tries++) {
      const verdict = await this.#parts.checker.check(partition, run)
      if (verdict === undefined) return this.#recover(partition, segment)
      if (verdict.moving.length === 0) return this.#settle(partition, verdict)
    }
    return { ...nothing, busy: 1 }
  }

  /**
   * Digests first: a row that is merged anew takes out of the digest what the check said is in it.
   */
  async #settle(partition: Partition, verdict: RunVerdict): Promise<ScrubReport> {
    const { replica, tell, lost } = this.#parts
    const { wrong, findings, rows, tombstones } = verdict
    let corrected = 0
    if (wrong.length > 0) {
      corrected = await replica.correctDigests(partition, wrong)
      const segments = wrong.map(({ segment }) => segment)
      tell({ kind: 'digestWrong', partition, segments, corrected })
      if (corrected > 0) lost(partition)
    }
    const healed = await this.#healAll(findings)
    return {
      ...nothing,
      rows,
      tombstones,
      wrong: wrong.length,
      corrected,
      damaged: findings.length,
      healed,
    }
  }

  async #healAll(findings: readonly Finding[]): Promise<number> {
    const { healer, tell } = this.#parts
    let healed = 0
    for (const { rowKey, kind } of findings) {
      if (this.#isStopped) break
      tell({ kind: 'rowDamaged', rowKey, what: kind })
      if (await healer.heal(rowKey, kind)) healed++
    }
    return healed
  }

  /** What the disk cannot list, a peer can: its keys of the segment are all merged again. */
  async #recover(partition: Partition, segment: number): Promise<ScrubReport> {
    const { placement, peers, exchange, tell } = this.#parts
    tell({ kind: 'segmentsUnreadable', partition, segments: [segment] })
    let healed = 0
    for (const peer of othersOf(placement(), partition)) {
      if (this.#isStopped || !peers.isUp(peer)) continue
      const ending = await exchange({ partition, peer, segments: [segment] })
      healed += ending.tally.healed
    }
    return { ...nothing, unreadable: 1, healed }
  }
}

function add(one: ScrubReport, other: ScrubReport): ScrubReport {
  return {
    rows: one.rows + other.rows,
    tombstones: one.tombstones + other.tombstones,
    wrong: one.wrong + other.wrong,
    corrected: one.corrected + other.corrected,
    damaged: one.damaged + other.damaged,
    healed: one.healed + other.healed,
    unreadable: one.unreadable + other.unreadable,
    busy: one.busy + other.busy,
  }
}
