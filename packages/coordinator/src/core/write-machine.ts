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
}

export type WriteEvent =
  | { readonly kind: 'written'; readonly by: number }
  | { readonly kind: 'durable'; readonly by: number }
  /** It will not acknowledge: it refused, could not be reached, or its channel was lost. */
  | { readonly kind: 'failed'; readonly by: number }
  | { readonly kind: 'expired' }

export type WriteEffect =
  | { readonly kind: 'reply'; readonly verdict: Exclude<Verdict, 'undecided'> }
  /** Ask this fallback in place of a primary. */
  | { readonly kind: 'enlist'; readonly candidate: number }
  /** This primary has to learn of the write later. */
  | { readonly kind: 'owe'; readonly candidate: number }

export interface WriteStep {
  readonly state: WriteState
  readonly effects: readonly WriteEffect[]
}

const NONE: readonly WriteEffect[] = []

/**
 * @param asked       candidates a message goes to, own disk included
 * @param acknowledged candidates already known to hold the state durably (strict reads)
 * @param spare       fallbacks not asked yet; empty for `strict`
 */
export function beginWrite(options: {
  need: number
  needDurable: number
  primaries: number
  asked: number
  acknowledged?: number
  spare?: number
}): WriteState {
  const { need, needDurable, primaries, asked, acknowledged = 0, spare = 0 } = options
  invariant(needDurable <= need, 'no more durable acknowledgements are asked than acknowledgements')
  invariant((asked & spare) === 0, 'a spare has not been asked')
  return {
    kind: 'gathering',
    primaries,
    spare,
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
  const owed = counted === state ? NONE : owedAfter(state, event)
  if (state.kind === 'settled') return { state: counted, effects: owed }

  const enlisted = event.kind === 'failed' ? enlist(counted) : undefined
  const next = enlisted?.state ?? counted
  const effects = enlisted ? [...owed, enlisted.effect] : owed
  const verdict = judge(next.tally)
  if (verdict === 'undecided') return { state: next, effects }
  return {
    state: { ...next, kind: 'settled' },
    effects: [...effects, { kind: 'reply', verdict }],
  }
}

/** Whether a state may settle before any event: all acknowledgements were there from the start. */
export const isMet = (state: WriteState): boolean => judge(state.tally) === 'met'

function count(state: WriteState, event: WriteEvent): WriteState {
  const { tally } = state
  switch (event.kind) {
    case 'written':
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
 * Who must be told later. A silent replica may have the write all the same, so hints are
 * idempotent.
 */
function owedAfter(before: WriteState, event: WriteEvent): readonly WriteEffect[] {
  if (event.kind === 'failed') {
    return event.by < before.primaries ? [{ kind: 'owe', candidate: event.by }] : NONE
  }
  if (event.kind !== 'expired' || before.tally.expired) return NONE
  const silent = before.tally.pending & ~before.tally.acknowledged & (bit(before.primaries) - 1)
  return indices(silent).map((candidate) => ({ kind: 'owe', candidate }))
}

function enlist(state: WriteState): { state: WriteState; effect: WriteEffect } | undefined {
  const candidate = indices(state.spare)[0]
  if (candidate === undefined) return undefined
  const { tally } = state
  return {
    state: {
      ...state,
      spare: state.spare & ~bit(candidate),
      tally: { ...tally, pending: tally.pending | bit(candidate) },
    },
    effect: { kind: 'enlist', candidate },
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
