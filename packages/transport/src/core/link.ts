import { limits, type Millis, unreachable } from '@shoal/kernel'
import type { RefusalCode } from './handshake.ts'

/**
 * The life of the one channel between this node and one peer.
 *
 * Both ends dial, because only one direction may be reachable. So two connections can come up at
 * once, and "the first one wins" is decided differently at the two ends: each closes what the other
 * kept. The rule here: the node with the smaller id leads. It says `ready` on one connection at a
 * time, so the other can always follow. A connection that arrives while a channel is up replaces it
 * only if the peer knew of that channel and has lost it; otherwise it is the late half of a race.
 *
 * A process with another run id that claims the id of a peer whose channel is up has to wait until
 * the running one was asked: if that answers, the newcomer is refused.
 *
 * Connections are named by numbers that the shell gives out. Pure.
 */
export type ConnectionId = number

export interface Candidate {
  readonly connection: ConnectionId
  readonly run: string
  readonly channel: string
}

/**
 * `last` names the channel this node last had with the peer; `tries` counts failures since one
 * lasted.
 */
export type LinkState =
  | { readonly kind: 'idle'; readonly last: string }
  | Dial<'dialling'>
  /**
   * We said `ready` on our own connection and wait for theirs. A leader follows nobody meanwhile.
   */
  | Dial<'offering'>
  | { readonly kind: 'waiting'; readonly last: string; readonly tries: number }
  | Up<'up'>
  | (Up<'contested'> & { readonly newcomer: Candidate })
  /** The peer takes no new questions; the channel stays for the answers still due. */
  | Up<'leaving'>
  | { readonly kind: 'stopped'; readonly last: string }

interface Dial<Kind> {
  readonly kind: Kind
  readonly last: string
  readonly tries: number
  readonly connection: ConnectionId
}

interface Up<Kind> extends Candidate {
  readonly kind: Kind
  readonly last: string
  readonly tries: number
}

export type LinkEvent =
  /** `connection` is an unused number, taken if this event dials. */
  | { readonly kind: 'started' | 'retryDue'; readonly connection: ConnectionId }
  /** Our own connection has reached a peer without fault. */
  | ({ readonly kind: 'reached' } & Candidate)
  /** The peer has said `ready` on our own connection. */
  | ({ readonly kind: 'agreed' } & Candidate)
  /** The peer offers a connection that it dialled. */
  | ({ readonly kind: 'offered'; readonly lastChannel: string } & Candidate)
  /** A connection ended by itself. `lasted`: how long it had been up. */
  | {
      readonly kind: 'closed'
      readonly connection: ConnectionId
      readonly reason: string
      readonly lasted: Millis
    }
  /** The channel has answered the probe. */
  | { readonly kind: 'answered'; readonly connection: ConnectionId }
  | { readonly kind: 'contestDue' }
  | { readonly kind: 'goodbye'; readonly connection: ConnectionId; readonly reason: string }
  | { readonly kind: 'stop' }

export type LinkEffect =
  | { readonly kind: 'dial'; readonly connection: ConnectionId }
  /** Say `ready` on our own connection. */
  | { readonly kind: 'offer'; readonly connection: ConnectionId; readonly lastChannel: string }
  /** Say `ready` on a connection dialled by the peer. */
  | { readonly kind: 'accept'; readonly connection: ConnectionId }
  | {
      readonly kind: 'refuse'
      readonly connection: ConnectionId
      readonly code: RefusalCode
      readonly words: string
    }
  | { readonly kind: 'close'; readonly connection: ConnectionId }
  | { readonly kind: 'up'; readonly connection: ConnectionId }
  | { readonly kind: 'down'; readonly reason: string }
  /** Wait before the next dial, longer with more tries. */
  | { readonly kind: 'wait'; readonly tries: number }
  | { readonly kind: 'cancelWait' }
  /** Ask the channel for a sign of life, for no longer than a contest may take. */
  | { readonly kind: 'probe'; readonly connection: ConnectionId }
  | { readonly kind: 'cancelProbe' }

export interface LinkStep {
  readonly state: LinkState
  readonly effects: readonly LinkEffect[]
}

export const firstLinkState: LinkState = { kind: 'idle', last: '' }

/** @param leads  this node's id is smaller than the peer's */
export function stepLink(leads: boolean, state: LinkState, event: LinkEvent): LinkStep {
  if (event.kind === 'stop') return stopped(state)
  switch (state.kind) {
    case 'idle':
      return idle(state, event)
    case 'dialling':
    case 'offering':
      return opening(leads, state, event)
    case 'waiting':
      return waiting(state, event)
    case 'up':
    case 'leaving':
      return standing(state, event)
    case 'contested':
      return contested(state, event)
    case 'stopped':
      return unwanted(state, event, 'this node is stopping')
    default:
      return unreachable(state)
  }
}

type State<Kind extends LinkState['kind']> = Extract<LinkState, { kind: Kind }>
type Event = Exclude<LinkEvent, { kind: 'stop' }>

function idle(state: State<'idle'>, event: Event): LinkStep {
  if (event.kind === 'started') return dial(state.last, 0, event.connection)
  return unwanted(state, event, 'this node has not started')
}

function opening(
  leads: boolean,
  state: State<'dialling'> | State<'offering'>,
  event: Event,
): LinkStep {
  const { last, tries, connection } = state
  switch (event.kind) {
    case 'reached':
      if (state.kind === 'offering' || event.connection !== connection) break
      return {
        state: { ...state, kind: 'offering' },
        effects: [{ kind: 'offer', connection, lastChannel: last }],
      }
    case 'agreed':
      if (state.kind === 'dialling' || event.connection !== connection) break
      return { state: rise(event, tries), effects: [{ kind: 'up', connection }] }
    case 'offered':
      if (leads && state.kind === 'offering') break
      return join(event, tries, [{ kind: 'close', connection }])
    case 'closed':
      if (event.connection !== connection) return same(state)
      return wait(last, tries + 1)
  }
  return unwanted(state, event, 'another connection is being opened')
}

function waiting(state: State<'waiting'>, event: Event): LinkStep {
  switch (event.kind) {
    case 'retryDue':
      return dial(state.last, state.tries, event.connection)
    case 'offered':
      return join(event, state.tries, [{ kind: 'cancelWait' }])
    default:
      return unwanted(state, event, 'this connection is out of date')
  }
}

function standing(state: State<'up'> | State<'leaving'>, event: Event): LinkStep {
  const { connection, tries, run, channel, last } = state
  switch (event.kind) {
    case 'offered':
      if (state.kind === 'leaving') return replace(state, event, 'the peer came back')
      if (event.run !== run) {
        const { connection: newcomer, run, channel } = event
        return {
          state: { ...state, kind: 'contested', newcomer: { connection: newcomer, run, channel } },
          effects: [{ kind: 'probe', connection }],
        }
      }
      if (event.lastChannel === channel) return replace(state, event, 'the peer had lost it')
      return unwanted(state, event, 'a channel is up')
    case 'closed': {
      if (event.connection !== connection) return same(state)
      const held = event.lasted >= limits.peerReconnectMax || state.kind === 'leaving'
      return fall(state, event.reason, wait(last, held ? 0 : tries + 1))
    }
    case 'goodbye':
      if (state.kind === 'leaving' || event.connection !== connection) return same(state)
      return {
        state: { kind: 'leaving', connection, tries, run, channel, last },
        effects: [{ kind: 'down', reason: event.reason }],
      }
    default:
      return unwanted(state, event, 'a channel is up')
  }
}

function contested(state: State<'contested'>, event: Event): LinkStep {
  const { newcomer, connection } = state
  const ended: LinkEffect = { kind: 'cancelProbe' }
  switch (event.kind) {
    case 'answered':
      return event.connection === connection ? defended(state) : same(state)
    case 'offered': {
      if (event.run !== state.run) return unwanted(state, event, 'another newcomer is waiting')
      // The running node comes back on a new connection: it lives.
      const { state: up, effects } = defended(state)
      const then = standing(up as State<'up'>, event)
      return { state: then.state, effects: [...effects, ...then.effects] }
    }
    case 'contestDue':
      return replace(state, newcomer, 'it does not answer and another run of the node does')
    case 'goodbye':
      if (event.connection !== connection) return same(state)
      return after(ended, replace(state, newcomer, event.reason))
    case 'closed':
      if (event.connection === connection) {
        return after(ended, fall(state, event.reason, join(newcomer, 0, [])))
      }
      if (event.connection !== newcomer.connection) return same(state)
      return { state: incumbent(state), effects: [ended] }
    default:
      return unwanted(state, event, 'a channel is up')
  }
}

/** The running node has shown that it lives. */
function defended(state: State<'contested'>): LinkStep {
  return {
    state: incumbent(state),
    effects: [
      { kind: 'cancelProbe' },
      {
        kind: 'refuse',
        connection: state.newcomer.connection,
        code: 'SHOAL_NODE_ID_TAKEN',
        words: 'a running node has this id and answers',
      },
    ],
  }
}

function incumbent({ connection, run, channel, last, tries }: State<'contested'>): State<'up'> {
  return { kind: 'up', connection, run, channel, last, tries }
}

function stopped(state: LinkState): LinkStep {
  const reason = 'this node is stopping'
  const effects: LinkEffect[] = []
  if (state.kind === 'waiting') effects.push({ kind: 'cancelWait' })
  if (state.kind === 'contested') {
    const { connection } = state.newcomer
    effects.push({ kind: 'cancelProbe' })
    effects.push({ kind: 'refuse', connection, code: 'later', words: reason })
  }
  if ('connection' in state) effects.push({ kind: 'close', connection: state.connection })
  if (isUp(state)) effects.push({ kind: 'down', reason })
  return { state: { kind: 'stopped', last: state.last }, effects }
}

/** Whether questions may leave. */
export function isUp(state: LinkState): boolean {
  return state.kind === 'up' || state.kind === 'contested'
}

/** What this state has no use for: a connection is turned away, anything else is ignored. */
function unwanted(state: LinkState, event: Event, words: string): LinkStep {
  switch (event.kind) {
    case 'offered':
    case 'reached': {
      const { connection } = event
      const code = state.kind === 'idle' || state.kind === 'stopped' ? 'later' : 'duplicate'
      return { state, effects: [{ kind: 'refuse', connection, code, words }] }
    }
    case 'agreed':
      return {
        state,
        effects: [{ kind: 'close', connection: event.connection }],
      }
    default:
      return same(state)
  }
}

const same = (state: LinkState): LinkStep => ({ state, effects: [] })

function dial(last: string, tries: number, connection: ConnectionId): LinkStep {
  return {
    state: { kind: 'dialling', last, tries, connection },
    effects: [{ kind: 'dial', connection }],
  }
}

function wait(last: string, tries: number): LinkStep {
  return { state: { kind: 'waiting', last, tries }, effects: [{ kind: 'wait', tries }] }
}

function rise({ connection, run, channel }: Candidate, tries: number): State<'up'> {
  return { kind: 'up', connection, run, channel, last: channel, tries }
}

function join(candidate: Candidate, tries: number, before: readonly LinkEffect[]): LinkStep {
  const { connection } = candidate
  return {
    state: rise(candidate, tries),
    effects: [...before, { kind: 'accept', connection }, { kind: 'up', connection }],
  }
}

function fall(state: LinkState, reason: string, then: LinkStep): LinkStep {
  return isUp(state) ? after({ kind: 'down', reason }, then) : then
}

function replace(
  state: State<'up'> | State<'leaving'> | State<'contested'>,
  by: Candidate,
  reason: string,
): LinkStep {
  const close: LinkEffect = { kind: 'close', connection: state.connection }
  return after(close, fall(state, reason, join(by, 0, [])))
}

function after(first: LinkEffect, { state, effects }: LinkStep): LinkStep {
  return { state, effects: [first, ...effects] }
}
