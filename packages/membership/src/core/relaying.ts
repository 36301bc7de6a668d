import type { SwimEvent } from './events.ts'
import { newsFor } from './news.ts'
import type { Relayed, Turn } from './state.ts'

/**
 * Asking a member for another node that does not hear it. The answer comes in time in any case: a
 * relay that hears nothing says so before its time is over, because silence would be held against
 * the asker.
 */
export function relay(
  turn: Turn,
  event: Extract<SwimEvent, { readonly kind: 'relayAsked' }>,
): void {
  const { state, now, effects } = turn
  const { from, question, target: node, timeout } = event
  const target = state.peers.get(node)
  if (node === state.self.id) return answer(turn, { question, for: from }, true)
  if (target === undefined || state.relayed.size >= state.settings.probesRelayed) {
    return answer(turn, { question, for: from }, false)
  }
  const sequence = ++state.sequence
  const given = timeout * state.settings.nackShare
  state.relayed.set(sequence, { question, for: from, until: now + given })
  const updates = newsFor(turn, target)
  effects.push({ kind: 'ping', to: node, sequence, timeout: given, updates })
}

/** The probe of this number, if it was made for another, has ended. */
export function endRelayed(turn: Turn, sequence: number, reached: boolean): void {
  const relayed = turn.state.relayed.get(sequence)
  if (relayed === undefined) return
  turn.state.relayed.delete(sequence)
  answer(turn, relayed, reached)
}

export function runRelayed(turn: Turn): void {
  for (const [sequence, { until }] of turn.state.relayed) {
    if (turn.now >= until) endRelayed(turn, sequence, false)
  }
}

function answer(
  turn: Turn,
  { question, for: asker }: Pick<Relayed, 'question' | 'for'>,
  reached: boolean,
): void {
  const updates = newsFor(turn, turn.state.peers.get(asker))
  turn.effects.push({ kind: 'answerPong', question, reached, updates })
}
