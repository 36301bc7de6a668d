import { invariant, unreachable } from '@shoal/kernel'
import { bit, countOf, judge, type Tally, type Verdict } from './judge.ts'

/**
 * One read: ask R primaries, replace who fails, hedge who is slow, stop at R answers.
 *
 * What a fallback does not find says nothing (Q4): the driver says that it failed. Versions and
 * values are not this machine's business; the driver merges them and may find that R answers are
 * not enough for a session (S1): then it says `insufficient` and everyone is asked.
 */
export interface ReadState {
  readonly kind: 'gathering' | 'escalated' | 'settled'
  readonly need: number
  readonly answered: number
  readonly asked: number
  readonly failed: number
  readonly expired: boolean
  readonly hedged: boolean
  /** Candidates in the order in which to ask them. */
  readonly order: readonly number[]
}

export type ReadEvent =
  | { readonly kind: 'answered'; readonly by: number }
  | { readonly kind: 'failed'; readonly by: number }
  /** The p95 has passed without the last answer (Q2). */
  | { readonly kind: 'slow' }
  /** R answers do not contain what the session has seen (S1). */
  | { readonly kind: 'insufficient' }
  | { readonly kind: 'expired' }

export type ReadEffect =
  | { readonly kind: 'ask'; readonly candidate: number }
  | { readonly kind: 'reply'; readonly verdict: Exclude<Verdict, 'undecided'> }

export interface ReadStep {
  readonly state: ReadState
  readonly effects: readonly ReadEffect[]
}

const NONE: readonly ReadEffect[] = []

/** @param order  primaries that can be reached, and fallbacks, in the order in which to ask them */
export function beginRead(options: { need: number; order: readonly number[] }): ReadStep {
  const { need, order } = options
  invariant(order.length >= need, 'a read begins only when enough replicas can be reached (Q7)')
  const first = order.slice(0, need)
  return {
    state: {
      kind: 'gathering',
      need,
      answered: 0,
      asked: first.reduce((set, candidate) => set | bit(candidate), 0),
      failed: 0,
      expired: false,
      hedged: false,
      order,
    },
    effects: first.map((candidate) => ({ kind: 'ask', candidate })),
  }
}

/** Fallbacks that were looked for only when one of those asked had failed. */
export function addCandidates(state: ReadState, candidates: readonly number[]): ReadState {
  const fresh = candidates.filter((candidate) => !state.order.includes(candidate))
  return fresh.length === 0 ? state : { ...state, order: [...state.order, ...fresh] }
}

/** Whether nobody is left to be asked instead of who fails. */
export const isExhausted = ({ order, asked }: ReadState): boolean =>
  order.every((candidate) => (asked & bit(candidate)) !== 0)

export function stepRead(state: ReadState, event: ReadEvent): ReadStep {
  const next = count(state, event)
  if (next === state) return { state, effects: NONE }
  if (event.kind === 'insufficient') return escalate(next)
  if (state.kind === 'settled') return { state: next, effects: NONE }

  const wantsOther = event.kind === 'failed' || event.kind === 'slow'
  const asked = wantsOther ? askNext(next) : { state: next, effects: NONE }
  const verdict = judge(tallyOf(asked.state))
  if (verdict === 'undecided') return asked
  return {
    state: { ...asked.state, kind: 'settled' },
    effects: [...asked.effects, { kind: 'reply', verdict }],
  }
}

/** Those not asked yet may still answer, so they are pending to the judge. */
function tallyOf({ need, answered, failed, expired, order }: ReadState): Tally {
  const all = order.reduce((set, candidate) => set | bit(candidate), 0)
  const pending = all & ~answered & ~failed
  return { need, needDurable: 0, acknowledged: answered, durable: answered, pending, expired }
}

function count(state: ReadState, event: ReadEvent): ReadState {
  switch (event.kind) {
    case 'answered':
    case 'failed': {
      const by = bit(event.by)
      const ended = state.answered | state.failed
      if ((state.asked & by) === 0 || (ended & by) !== 0) return state
      return event.kind === 'answered'
        ? { ...state, answered: state.answered | by }
        : { ...state, failed: state.failed | by }
    }
    case 'slow':
      return state.hedged || state.kind === 'settled' ? state : { ...state, hedged: true }
    case 'insufficient':
      return state.kind === 'escalated' ? state : { ...state, kind: 'escalated' }
    case 'expired':
      return state.expired ? state : { ...state, expired: true }
    default:
      return unreachable(event)
  }
}

function askNext(state: ReadState): ReadStep {
  const candidate = state.order.find((each) => (state.asked & bit(each)) === 0)
  if (candidate === undefined) return { state, effects: NONE }
  return {
    state: { ...state, asked: state.asked | bit(candidate) },
    effects: [{ kind: 'ask', candidate }],
  }
}

/**
 * Asks everyone left. The read is over again when one more has answered; the driver looks at each
 * answer and says `insufficient` no more, it replies or gives up when nobody is left.
 */
function escalate(state: ReadState): ReadStep {
  const rest = state.order.filter((candidate) => (state.asked & bit(candidate)) === 0)
  const asked = rest.reduce((set, candidate) => set | bit(candidate), state.asked)
  const next = { ...state, asked, need: countOf(state.answered) + 1 }
  const effects: ReadEffect[] = rest.map((candidate) => ({ kind: 'ask', candidate }))
  const verdict = judge(tallyOf(next))
  if (verdict === 'undecided') return { state: next, effects }
  return { state: { ...next, kind: 'settled' }, effects: [...effects, { kind: 'reply', verdict }] }
}
