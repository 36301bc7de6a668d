import { invariant, unreachable } from '@shoal/kernel'
import { bit, countOf, judge, type Tally, type Verdict } from './judge.ts'

/**
 * One write, from the first message to the last answer.
 *
 * The failed obvious answer counts replies where they arrive, in five places, which sooner or later
 * disagree. Here every event goes through one step, `judge` alone decides, the reply is an effect
 * that occurs once, and answers after it still matter: a replica that refused or stayed silent is
 * owed the write (H1). The same machine confirms strict reads, where the write is the merged state
 * (Q5).
 */
export interface WriteState {
  readonly kind: 'gathering' | 'settled'
  readonly tally: Tally
  /** Candidates below this index are primaries. */
  readonly primaries: number
  /** Fallbacks that may stand in for a primary that cannot be reached, as a set (Q3). */
  readonly spare: number
  /** By candidate: the primaries that a fallback stands in for, as a set. Empty without any. */
  readonly standsFor: readonly number[]
  /** Primaries that this node owes the write already, with its own row, as a set. */
  readonly kept: number
}

export type WriteEvent =
  | { readonly kind: 'written'; readonly by: number }
  | { readonly kind: 'durable'; readonly by: number }
  /** It will not acknowledge: it refused, could not be reached, or its channel was lost. */
  | { readonly kind: 'failed'; readonly by: number }
  | { readonly kind: 'expired' }

export type WriteEffect =
  | { readonly kind: 'reply'; readonly verdict: Exclude<Verdict, 'undecided'> }
  /** Ask this fallback in place of these primaries. It owes them the write. */
  | { readonly kind: 'enlist'; readonly candidate: number; readonly primaries: number }
  /** This primary has to learn of the write later. */
  | { readonly kind: 'owe'; readonly candidate: number }

export interface WriteStep {
  readonly state: WriteState
  readonly effects: readonly WriteEffect[]
}

const NONE: readonly WriteEffect[] = []
const NOBODY: readonly number[] = []

/**
 * @param asked       candidates a message goes to, own disk included
 * @param acknowledged candidates already known to hold the state durably (strict reads)
 * @param spare       fallbacks not asked yet; empty for `strict`
 * @param standsFor   by candidate, the primaries that a fallback among `asked` stands in for
 * @param kept        primaries that are owed the write in the batch of its own row
 */
export function beginWrite(options: {
  need: number
  needDurable: number
  primaries: number
  asked: number
  acknowledged?: number
  spare?: number
  standsFor?: readonly number[]
  kept?: number
}): WriteState {
  const { need, needDurable, primaries, asked, acknowledged = 0, spare = 0 } = options
  invariant(needDurable <= need, 'no more durable acknowledgements are asked than acknowledgements')
  invariant((asked & spare) === 0, 'a spare has not been asked')
  return {
    kind: 'gathering',
    primaries,
    spare,
    standsFor: options.standsFor ?? NOBODY,
    kept: options.kept ?? 0,
    tally: {
      need,
      needDurable,
      acknowledged,
      durable: acknowledged,
      pending: asked & ~acknowledged,
      expired: false,
    },
  }
}

export function stepWrite(state: WriteState, event: WriteEvent): WriteStep {
  const counted = count(state, event)
  const missed = counted === state ? 0 : missedAfter(state, event, counted)
  if (state.kind === 'settled') return { state: counted, effects: oweAll(state, missed) }

  const { state: next, effects } = replace(counted, event, missed)
  const verdict = judge(next.tally)
  if (verdict === 'undecided') return { state: next, effects }
  return {
    state: { ...next, kind: 'settled' },
    effects: [...effects, { kind: 'reply', verdict }],
  }
}

/** Fallbacks that were looked for only when one of those asked had failed. */
export function addSpare(state: WriteState, spare: number): WriteState {
  const { pending, acknowledged } = state.tally
  invariant((spare & (pending | acknowledged)) === 0, 'a spare has not been asked')
  return { ...state, spare: state.spare | spare }
}

/** Whether a state may settle before any event: all acknowledgements were there from the start. */
export const isMet = (state: WriteState): boolean => judge(state.tally) === 'met'

function count(state: WriteState, event: WriteEvent): WriteState {
  const { tally } = state
  switch (event.kind) {
    case 'written':
      // A fallback counts once its hint is on disk too (H1).
      if (event.by >= state.primaries) return state
      if ((tally.pending & bit(event.by)) === 0) return state
      return { ...state, tally: { ...tally, acknowledged: tally.acknowledged | bit(event.by) } }
    case 'durable':
      if ((tally.pending & bit(event.by)) === 0) return state
      return {
        ...state,
        tally: {
          ...tally,
          acknowledged: tally.acknowledged | bit(event.by),
          durable: tally.durable | bit(event.by),
          pending: tally.pending & ~bit(event.by),
        },
      }
    case 'failed':
      if ((tally.pending & bit(event.by)) === 0) return state
      return { ...state, tally: { ...tally, pending: tally.pending & ~bit(event.by) } }
    case 'expired':
      return { ...state, tally: { ...tally, expired: true } }
    default:
      return unreachable(event)
  }
}

/**
 * Primaries that must be told later, and that nobody stands in for, as a set. A silent one may have
 * the write all the same, so hints are idempotent.
 */
function missedAfter(before: WriteState, event: WriteEvent, after: WriteState): number {
  const { tally } = after
  if (event.kind === 'failed') {
    const others = (tally.pending | tally.acknowledged) & ~bit(event.by)
    return answersFor(after, bit(event.by)) & ~answersFor(after, others)
  }
  if (event.kind !== 'expired' || before.tally.expired) return 0
  const silent = tally.pending & ~tally.acknowledged
  return answersFor(after, silent) & ~answersFor(after, tally.acknowledged)
}

/** The primaries that a set of candidates answers for: themselves, and whom they stand in for. */
function answersFor({ primaries, standsFor }: WriteState, candidates: number): number {
  let all = candidates & (bit(primaries) - 1)
  if (standsFor.length === 0) return all
  for (const candidate of indices(candidates & ~all)) all |= standsFor[candidate] ?? 0
  return all
}

function oweAll({ kept }: WriteState, missed: number): readonly WriteEffect[] {
  const owed = missed & ~kept
  return owed === 0 ? NONE : indices(owed).map((candidate) => ({ kind: 'owe', candidate }))
}

/** A fallback takes the place of who failed; without one the coordinator owes (H1). */
function replace(state: WriteState, event: WriteEvent, missed: number): WriteStep {
  const candidate = indices(state.spare)[0]
  if (event.kind !== 'failed' || missed === 0 || candidate === undefined) {
    return { state, effects: oweAll(state, missed) }
  }
  const { tally } = state
  const standsFor = [...state.standsFor]
  standsFor[candidate] = missed
  return {
    state: {
      ...state,
      standsFor,
      spare: state.spare & ~bit(candidate),
      tally: { ...tally, pending: tally.pending | bit(candidate) },
    },
    effects: [{ kind: 'enlist', candidate, primaries: missed }],
  }
}

/** Members of a set, in order of preference. */
export function indices(set: number): number[] {
  const members: number[] = []
  for (let index = 0; set >>> index !== 0; index++) {
    if ((set & bit(index)) !== 0) members.push(index)
  }
  invariant(members.length === countOf(set), 'a set has as many members as bits')
  return members
}
