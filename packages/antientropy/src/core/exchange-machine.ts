import { type ErrorCode, limits, unreachable } from '@shoal/kernel'
import { differingGroups, differingSegments, groupsOf } from './groups.ts'
import { compareLists, type Difference, type KeyList } from './key-lists.ts'
import type { RowOutcome } from './row-repair.ts'

/**
 * One exchange between two replicas of a partition, seen from the side that began it (E2): roots,
 * then groups, then segments, then keys, then rows, each step only where the one before found a
 * difference.
 *
 * Both replicas go on writing meanwhile. What each step compares is how things are at that moment,
 * so a write under way shows up as a few keys more and never as one less: what both held before the
 * exchange began is equal when it ends `complete`.
 */
export interface ExchangeState {
  readonly kind: 'roots' | 'leaves' | 'keys' | 'rows' | 'ended'
  /** Segments that differ and are not yet compared to their end, ascending. */
  readonly segments: readonly number[]
  /** Row keys up to this one are done. */
  readonly after: Buffer | undefined
  /** Differences of this page that wait. */
  readonly waiting: readonly Difference[]
  readonly inFlight: number
  /** The largest row met: it decides how many rows move at a time. */
  readonly largestRow: number
  readonly stopped: ErrorCode | undefined
  readonly tally: ExchangeTally
}

export interface ExchangeTally {
  /** Segments found different. */
  readonly segments: number
  /** Keys read on both sides together, to find the different ones. */
  readonly keys: number
  readonly pulled: number
  readonly pushed: number
  /** Damaged copies replaced by the other side's (V11). */
  readonly healed: number
  /** Keys of which neither side has a copy that would do. */
  readonly unhealed: number
  /** Segments that cannot be read, here and there: what was in them is not known. */
  readonly unreadOwn: number
  readonly unreadTheirs: number
  /** Keys to be tried again another time. */
  readonly failed: number
}

export type ExchangeEvent =
  | { readonly kind: 'same' }
  | {
      readonly kind: 'children'
      readonly own: readonly Buffer[]
      readonly theirs: readonly Buffer[]
    }
  /** One buffer of 32 digests for each group asked for. */
  | { readonly kind: 'leaves'; readonly own: readonly Buffer[]; readonly theirs: readonly Buffer[] }
  | { readonly kind: 'listed'; readonly own: KeyList; readonly theirs: KeyList }
  | { readonly kind: 'repaired'; readonly outcome: RowOutcome; readonly bytes: number }
  /** A question failed, or the exchange has to stop: the code says why. */
  | { readonly kind: 'stopped'; readonly code: ErrorCode }

export type ExchangeEffect =
  | { readonly kind: 'askRoot' }
  /** One bit for each group. */
  | { readonly kind: 'askLeaves'; readonly groups: number }
  /** List these segments on both sides, behind `after`. */
  | {
      readonly kind: 'list'
      readonly segments: readonly number[]
      readonly after: Buffer | undefined
    }
  | { readonly kind: 'repair'; readonly difference: Difference }
  | { readonly kind: 'end'; readonly ending: ExchangeEnding }

export interface ExchangeEnding {
  /** Whatever either side held when it began, both hold now. */
  readonly complete: boolean
  /** Whatever the peer held when it began is held here now (Q6). */
  readonly pulledAll: boolean
  readonly code: ErrorCode | undefined
  readonly tally: ExchangeTally
}

export interface ExchangeStep {
  readonly state: ExchangeState
  readonly effects: readonly ExchangeEffect[]
}

/** How to tell the segment of a row key: a fact of the ring, not of the exchange. */
export type SegmentOf = (rowKey: Buffer) => number

const nothing: ExchangeTally = {
  segments: 0,
  keys: 0,
  pulled: 0,
  pushed: 0,
  healed: 0,
  unhealed: 0,
  unreadOwn: 0,
  unreadTheirs: 0,
  failed: 0,
}

/** @param segments  compare these whatever their digests say; absent: find out which differ */
export function beginExchange(segments?: readonly number[]): ExchangeStep {
  const state: ExchangeState = {
    kind: 'roots',
    segments: [],
    after: undefined,
    waiting: [],
    inFlight: 0,
    largestRow: 0,
    stopped: undefined,
    tally: nothing,
  }
  if (segments !== undefined) return listFirst(state, segments)
  return { state, effects: [{ kind: 'askRoot' }] }
}

export function stepExchange(
  state: ExchangeState,
  event: ExchangeEvent,
  segmentOf: SegmentOf,
): ExchangeStep {
  if (state.kind === 'ended') return { state, effects: [] }
  switch (event.kind) {
    case 'same':
      return state.kind === 'roots' ? end(state) : outOfTurn(state)
    case 'children':
      return state.kind === 'roots' ? onChildren(state, event) : outOfTurn(state)
    case 'leaves':
      return state.kind === 'leaves' ? onLeaves(state, event) : outOfTurn(state)
    case 'listed':
      return state.kind === 'keys' ? onListed(state, event, segmentOf) : outOfTurn(state)
    case 'repaired':
      if (state.inFlight === 0) return { state, effects: [] }
      return goOn(countRow(state, event.outcome, event.bytes))
    case 'stopped':
      return stop(state, event.code)
    default:
      return unreachable(event)
  }
}

/** An answer to a question that was not asked: the peer follows other rules. */
const outOfTurn = (state: ExchangeState): ExchangeStep => stop(state, 'SHOAL_FRAME_INVALID')

function onChildren(
  state: ExchangeState,
  { own, theirs }: Extract<ExchangeEvent, { kind: 'children' }>,
): ExchangeStep {
  const groups = differingGroups(own, theirs)
  // Roots were compared a moment ago; what differed then may have arrived by itself.
  if (groups === 0) return end(state)
  return {
    state: { ...state, kind: 'leaves', segments: groupsOf(groups) },
    effects: [{ kind: 'askLeaves', groups }],
  }
}

function onLeaves(
  state: ExchangeState,
  { own, theirs }: Extract<ExchangeEvent, { kind: 'leaves' }>,
): ExchangeStep {
  const groups = state.segments
  if (theirs.length !== groups.length || own.length !== groups.length) return outOfTurn(state)
  const segments = groups.flatMap((group, index) =>
    differingSegments(group, own[index] as Buffer, theirs[index] as Buffer),
  )
  return segments.length === 0 ? end(state) : listFirst(state, segments)
}

function listFirst(state: ExchangeState, segments: readonly number[]): ExchangeStep {
  if (segments.length === 0) return end(state)
  return {
    state: {
      ...state,
      kind: 'keys',
      segments,
      tally: { ...state.tally, segments: segments.length },
    },
    effects: [{ kind: 'list', segments, after: undefined }],
  }
}

function onListed(
  state: ExchangeState,
  { own, theirs }: Extract<ExchangeEvent, { kind: 'listed' }>,
  segmentOf: SegmentOf,
): ExchangeStep {
  const { differences, next, keys } = compareLists(own, theirs, segmentOf)
  const reached = next === undefined ? undefined : segmentOf(next)
  // A segment beyond the end of this page comes again with the next one.
  const isHere = (segment: number) => reached === undefined || segment < reached
  const { tally } = state
  return goOn({
    ...state,
    kind: 'rows',
    waiting: differences,
    segments: reached === undefined ? [] : state.segments.filter((each) => each >= reached),
    after: next,
    tally: {
      ...tally,
      keys: tally.keys + keys,
      unreadOwn: tally.unreadOwn + own.unreadable.filter(isHere).length,
      unreadTheirs: tally.unreadTheirs + theirs.unreadable.filter(isHere).length,
    },
  })
}

/** Starts what may be started; the next page when this one is done; the end after the last. */
function goOn(state: ExchangeState): ExchangeStep {
  if (state.stopped !== undefined) {
    return state.inFlight === 0 ? end(state) : { state, effects: [] }
  }
  const room = Math.max(0, windowOf(state) - state.inFlight)
  const started = state.waiting.slice(0, room)
  const next: ExchangeState = {
    ...state,
    waiting: state.waiting.slice(started.length),
    inFlight: state.inFlight + started.length,
  }
  if (next.inFlight > 0 || next.kind !== 'rows') {
    return {
      state: next,
      effects: started.map((difference) => ({ kind: 'repair', difference })),
    }
  }
  if (next.segments.length === 0) return end(next)
  return {
    state: { ...next, kind: 'keys' },
    effects: [{ kind: 'list', segments: next.segments, after: next.after }],
  }
}

/** Rows at a time: fewer when they are large, so that few bytes wait in memory. */
function windowOf({ largestRow }: ExchangeState): number {
  const byBytes = Math.floor(limits.exchangeRowBytesInFlightMax / Math.max(1, largestRow))
  return Math.max(1, Math.min(limits.exchangeRowsInFlightMax, byBytes))
}

function countRow(state: ExchangeState, outcome: RowOutcome, bytes: number): ExchangeState {
  const { tally } = state
  return {
    ...state,
    inFlight: state.inFlight - 1,
    largestRow: Math.max(state.largestRow, bytes),
    tally: {
      ...tally,
      pulled: tally.pulled + (outcome.pulled ? 1 : 0),
      pushed: tally.pushed + (outcome.pushed ? 1 : 0),
      healed: tally.healed + (outcome.healed ? 1 : 0),
      unhealed: tally.unhealed + (outcome.result === 'unhealed' ? 1 : 0),
      failed: tally.failed + (outcome.result === 'failed' ? 1 : 0),
    },
  }
}

function stop(state: ExchangeState, code: ErrorCode): ExchangeStep {
  return goOn({ ...state, stopped: state.stopped ?? code, waiting: [] })
}

function end(state: ExchangeState): ExchangeStep {
  const { tally, stopped: code } = state
  const isDone = code === undefined && tally.failed === 0 && tally.unhealed === 0
  const pulledAll = isDone && tally.unreadTheirs === 0
  const complete = pulledAll && tally.unreadOwn === 0
  return {
    state: { ...state, kind: 'ended', waiting: [] },
    effects: [{ kind: 'end', ending: { complete, pulledAll, code, tally } }],
  }
}
