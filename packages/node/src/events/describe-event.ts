import type { AntiEntropyEvent } from '@shoal/antientropy'
import type { HandoffEvent } from '@shoal/handoff'
import { type ShoalError, unreachable } from '@shoal/kernel'
import type { MembershipEvent } from '@shoal/membership'
import { rowKeyName, splitName } from '@shoal/ring'
import type { EngineEvent } from '../engine-events.ts'
import type { EventText } from './node-event.ts'

/** In words and plain values; undefined for what is business as usual. */
export function describeEvent({ source, event }: EngineEvent): EventText | undefined {
  switch (source) {
    case 'membership':
      return ofMembership(event)
    case 'handoff':
      return ofHints(event)
    case 'antientropy':
      return ofRepairs(event)
    default:
      return unreachable(source)
  }
}

/** @param refusal  what requests are refused with from now on; undefined: they are taken again */
export function describeOverload(refusal: ShoalError | undefined): EventText {
  if (refusal === undefined) {
    const message = 'requests are taken again'
    return { topic: 'overload', kind: 'overload-ended', level: 'info', message, details: {} }
  }
  const { wanted = null, got = null } = refusal.details
  const message = `requests are refused: ${refusal.message}`
  const details = { wanted, got }
  return { topic: 'overload', kind: 'overload-began', level: 'warn', message, details }
}

/** V9: values of `lww` buckets that nobody ever saw. */
export function describeLostWrites(count: number): EventText {
  const message = `${count} values of lww buckets were replaced before anyone saw them`
  const details = { count }
  return { topic: 'lost-writes', kind: 'lost-writes', level: 'warn', message, details }
}

function ofMembership(event: MembershipEvent): EventText {
  const { kind } = event
  const tell = (
    level: EventText['level'],
    message: string,
    details: EventText['details'],
  ): EventText => ({ topic: 'membership', kind, level, message, details })
  switch (event.kind) {
    case 'member': {
      const { node, state, before } = event
      const level = state === 'suspect' || state === 'dead' ? 'warn' : 'info'
      return tell(level, `${node} ${standings[state]}`, { member: node, state, before })
    }
    case 'refuted': {
      const { said, incarnation } = event
      const message = `others took this node for ${said}: it has contradicted`
      return tell('info', message, { said, incarnation })
    }
    case 'ring-disputed': {
      const { by, theirs } = event
      const message = `${by} has another ring of epoch ${theirs.epoch}: an operator has to look`
      return tell('warn', message, { by, epoch: theirs.epoch, digest: theirs.digest })
    }
    case 'ring-refused': {
      const { from, reason } = event
      return tell('warn', `the ring that ${from} offered was refused: ${reason}`, { from, reason })
    }
    default:
      return unreachable(event)
  }
}

const standings = {
  alive: 'is alive',
  suspect: 'does not answer: requests turn to it last',
  dead: 'is taken for dead',
  left: 'has stopped in order',
} as const

function ofHints(event: HandoffEvent): EventText {
  const { kind, node, ...rest } = event
  const details = { target: node, ...rest }
  const tell = (level: EventText['level'], message: string): EventText => ({
    ...{ topic: 'hints', kind, level, message, details },
  })
  switch (event.kind) {
    case 'hints-stored':
      return tell('info', `${event.count} writes are owed to ${node}`)
    case 'hints-delivered':
      return tell('info', `${node} was told of ${event.count} writes, ${event.left} are left`)
    case 'hints-refused':
      return tell('warn', `${node} refused ${event.count} writes it had missed: ${event.code}`)
    case 'hints-overflowed': {
      const { partition, reason } = event
      return tell('warn', `partition ${partition} of ${node} is left to repair: ${reason}`)
    }
    case 'hints-moved':
      return tell('info', `${event.count} writes owed to ${node} are owed to others now`)
    default:
      return unreachable(event)
  }
}

/** Equal partitions are compared all the time, and scrubs end: that is no news. */
function ofRepairs(event: AntiEntropyEvent): EventText | undefined {
  const tell = (
    level: EventText['level'],
    message: string,
    details: EventText['details'],
  ): EventText => ({ topic: 'repairs', kind: dashed(event.kind), level, message, details })
  switch (event.kind) {
    case 'exchangeEnded':
      return ofExchange(event, tell)
    case 'digestWrong': {
      const { partition, segments, corrected } = event
      const message = `digests of partition ${partition} were not those of its rows`
      return tell('warn', message, { partition, segments, corrected })
    }
    case 'rowDamaged':
      return tell('warn', `a ${event.what} is damaged`, { ...place(event), what: event.what })
    case 'rowHealed': {
      const from = event.from ?? null
      return tell('info', 'a damaged row was replaced by a sound one', { ...place(event), from })
    }
    case 'rowUnhealed':
      return tell('warn', 'nobody has a sound copy of a damaged row', place(event))
    case 'segmentsUnreadable': {
      const { partition, segments } = event
      const message = `the disk cannot read rows of partition ${partition}`
      return tell('warn', message, { partition, segments })
    }
    case 'scrubEnded':
      return undefined
    case 'dataLost': {
      const { partitions, reason } = event
      const count = partitions.length
      const details = { count, partitions: partitions.slice(0, PARTITIONS_NAMED), reason }
      // So does every node begin.
      if (reason === NEW_DIRECTORY) {
        const message = `${reason}: reads count it when it has been compared with other nodes`
        return tell('info', message, details)
      }
      return tell('warn', `the data of ${count} partitions is lost: ${reason}`, details)
    }
    case 'dataWhole': {
      // One by one they are hundreds, and no news.
      if (event.left > 0) return undefined
      return tell('info', 'everything has been compared: reads count this node again', {})
    }
    default:
      return unreachable(event)
  }
}

/** Of many, so many are named. */
const PARTITIONS_NAMED = 8
const NEW_DIRECTORY = 'the data directory is new'

type Exchanged = Extract<AntiEntropyEvent, { readonly kind: 'exchangeEnded' }>

function ofExchange(
  event: Exchanged,
  tell: (level: EventText['level'], message: string, details: EventText['details']) => EventText,
): EventText | undefined {
  const { kind: _kind, partition, peer, complete, code, pulled, pushed, ...counts } = event
  const rows = pulled + pushed + counts.healed
  if (complete && rows === 0) return undefined
  const details = { partition, peer, complete, code: code ?? null, pulled, pushed, ...counts }
  const what = `partition ${partition} and its copy on ${peer}`
  if (!complete) return tell('info', `${what} were compared in part: ${code ?? 'later'}`, details)
  return tell('info', `${what} are equal again after ${rows} rows`, details)
}

const dashed = (kind: string): string =>
  kind.replace(/[A-Z]/g, (letter) => `-${letter}`.toLowerCase())

const place = ({ rowKey }: { readonly rowKey: Buffer }): { bucket: string; key: string } =>
  splitName(rowKeyName(rowKey))
