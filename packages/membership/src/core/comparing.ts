import type { NodeId } from '@shoal/kernel'
import type { MemberUpdate } from '@shoal/wire'
import { syncPeriodOf } from './settings.ts'
import { knowledgeOf, livingOf, type Turn } from './state.ts'
import { sample } from './targets.ts'
import { compareSaid, digestOf } from './updates.ts'

/**
 * The full comparison, for what gossip has missed: a digest first, and only where it differs all
 * that the other knows, in parts. Then the other is told what it did not know.
 */
const ANSWER_MS = 5_000

export function beginComparison(turn: Turn): void {
  const { state, now, effects } = turn
  const { due, settings } = state
  due.compare = now + syncPeriodOf(settings, livingOf(state))
  if (state.comparison !== undefined && now < state.comparison.until) return
  const [peer] = sample(state, 1, ({ shown }) => shown === 'alive')
  if (peer === undefined) {
    due.compare = now + settings.probePeriod
    return
  }
  state.comparison = { with: peer, until: now + ANSWER_MS, heard: new Map() }
  const digest = digestOf(knowledgeOf(state))
  effects.push({ kind: 'compare', to: peer.id, digest, timeout: ANSWER_MS })
}

/** Soon, and not in step with everyone else who has the same reason. */
export function compareSoon({ state, now }: Turn): void {
  const at = now + state.random.below(state.settings.probePeriod)
  state.due.compare = Math.min(state.due.compare, at)
}

export function answerComparison(turn: Turn, question: number, digest: string): void {
  const { state, effects } = turn
  const known = [...knowledgeOf(state)]
  if (digestOf(known) === digest) effects.push({ kind: 'answerSame', question })
  else effects.push({ kind: 'answerParts', question, parts: partsOf(turn, known) })
}

export function noteCompared(turn: Turn, from: NodeId, updates: readonly MemberUpdate[]): void {
  const { comparison, peers, self } = turn.state
  if (comparison?.with.id !== from) return
  for (const update of updates) {
    const isMember = update.node === self.id || peers.has(update.node)
    if (isMember) comparison.heard.set(update.node, update)
  }
}

/** Everything was heard: what is newer here goes back. */
export function endComparison(turn: Turn, from: NodeId, same: boolean): void {
  const { state, effects } = turn
  const { comparison } = state
  if (comparison?.with.id !== from) return
  state.comparison = undefined
  if (same) return
  const newer = [...knowledgeOf(state)].filter((update) => {
    const theirs = comparison.heard.get(update.node)
    return theirs === undefined || compareSaid(update, theirs) > 0
  })
  if (newer.length === 0) return
  for (const updates of partsOf(turn, newer)) {
    effects.push({ kind: 'gossip', to: from, updates, missing: true })
  }
}

function partsOf({ state }: Turn, updates: readonly MemberUpdate[]): MemberUpdate[][] {
  const { gossipUpdates: size } = state.settings
  const parts: MemberUpdate[][] = []
  for (let at = 0; at < updates.length; at += size) parts.push(updates.slice(at, at + size))
  return parts
}
