import type { NodeId } from '@shoal/kernel'
import type { MembershipHeader, MemberUpdate } from '@shoal/wire'
import type { SwimEffect, SwimEvent } from '../src/core/events.ts'

/** What one machine says to another, without bytes: an effect of the one, an event of the other. */
export type Sent = Extract<SwimEvent, { readonly header: unknown }>

interface Said {
  readonly from: NodeId
  readonly header: MembershipHeader
}

/** The number of the question is that of the asker; the receiver gives it one of its own. */
export function questionOf(
  effect: SwimEffect,
  said: Said,
): { readonly to: NodeId; readonly event: Sent } | undefined {
  switch (effect.kind) {
    case 'ping': {
      const { to, sequence: question, updates } = effect
      return { to, event: { kind: 'pinged', ...said, updates, question } }
    }
    case 'askRelay': {
      const { to, sequence: question, updates, target, timeout } = effect
      return { to, event: { kind: 'relayAsked', ...said, updates, question, target, timeout } }
    }
    case 'gossip': {
      const { to, updates, missing } = effect
      return { to, event: { kind: 'gossiped', ...said, updates, missing, question: 0 } }
    }
    case 'compare': {
      const { to, digest } = effect
      return { to, event: { kind: 'compareAsked', ...said, updates: [], digest, question: 0 } }
    }
    default:
      return undefined
  }
}

export function answersOf(
  effect: Extract<SwimEffect, { readonly question: number }>,
  said: Said,
  sequence: number,
): readonly Sent[] {
  const compared = (updates: readonly MemberUpdate[], same: boolean, last: boolean): Sent => ({
    ...{ kind: 'compared', ...said, same, updates, last },
  })
  switch (effect.kind) {
    case 'answerPong': {
      const { updates, reached } = effect
      return [{ kind: 'ponged', ...said, updates, sequence, reached }]
    }
    case 'answerNoted':
      return [{ kind: 'noted', ...said, updates: effect.updates }]
    case 'answerSame':
      return [compared([], true, true)]
    case 'answerParts': {
      const { parts } = effect
      return parts.map((part, index) => compared(part, false, index === parts.length - 1))
    }
  }
}
