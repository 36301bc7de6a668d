import { describeVersion, etagOf, validateVersion, visibleCount } from '@shoal/causality'
import type { ErrorCode, Millis, NodeId } from '@shoal/kernel'
import { tokenHex } from '@shoal/ring'
import { rowVersion } from '@shoal/storage'
import {
  answerKinds,
  decodeHints,
  decodeRefusal,
  encodeRead,
  questionKinds,
  readFlags,
} from '@shoal/wire'
import type { Desk } from './desk.ts'
import { missingOf, type Place } from './place.ts'
import { readable } from './ports.ts'
import type { Explanation } from './requests.ts'
import { standInsFor } from './stand-ins.ts'

type Holder = Explanation['holders'][number]

/**
 * Who should hold a key, and what each of them says it holds right now; behind them those that may
 * stand in and hold something. Repairs nothing.
 */
export async function explainKey(desk: Desk, place: Place, timeout: Millis): Promise<Explanation> {
  const { rowKey, nodes, partition } = place
  const fallbacks = standInsFor(desk, place, missingOf(desk, place))
  const asked = [...nodes, ...fallbacks]
  const [holders, owed] = await Promise.all([
    Promise.all(asked.map((node) => askHolder(desk, node, rowKey, timeout))),
    Promise.all(asked.map((node) => askOwed(desk, node, rowKey, timeout))),
  ])
  const primaries = new Set(nodes)
  const shown = holders.map((holder) =>
    primaries.has(holder.node) ? holder : { ...holder, role: 'fallback' as const },
  )
  return {
    token: tokenHex(rowKey),
    partition,
    preferenceList: nodes,
    fallbacks,
    holders: shown.filter(({ role, dots, state }) => {
      return role === 'primary' || dots.length > 0 || state === 'damaged'
    }),
    hintsOwed: owed.reduce((sum, count) => sum + count, 0),
  }
}

/** Hints of one key; 0 where the node does not tell. */
function askOwed(desk: Desk, to: NodeId, rowKey: Buffer, timeout: Millis): Promise<number> {
  if (to === desk.self) return Promise.resolve(desk.hints?.owed(rowKey) ?? 0)
  return new Promise((resolve) => {
    desk.peers.ask(
      { to, kind: questionKinds.hints, body: rowKey, timeout, tag: 0 },
      {
        answered: (_tag, kind, body) => {
          const hints = kind === answerKinds.hints && readable(() => decodeHints(body))
          resolve(hints ? hints.total : 0)
        },
        failed: () => resolve(0),
      },
    )
  })
}

function askHolder(desk: Desk, node: NodeId, rowKey: Buffer, timeout: Millis): Promise<Holder> {
  return new Promise((resolve) => {
    const holds = (version: Buffer | undefined): void =>
      resolve(describeHolder(desk, node, version))
    const fails = (code: ErrorCode): void =>
      resolve({
        node,
        role: 'primary',
        etag: '',
        dots: [],
        state: code === 'SHOAL_ROW_DAMAGED' ? 'damaged' : 'unreachable',
      })
    if (node === desk.self) {
      desk.replica.read(rowKey, {
        row: (row) => holds(row && rowVersion(row)),
        failed: fails,
      })
      return
    }
    const body = encodeRead(readFlags.versionOnly, undefined, rowKey)
    desk.peers.ask(
      { to: node, kind: questionKinds.read, body, timeout, tag: 0 },
      {
        answered: (_tag, kind, answer) => {
          if (kind === answerKinds.version && isVersion(answer)) return holds(answer)
          if (kind === answerKinds.absent) return holds(undefined)
          fails(kind === answerKinds.refused ? decodeRefusal(answer) : 'SHOAL_FRAME_INVALID')
        },
        failed: (_tag, code) => fails(code),
      },
    )
  })
}

function describeHolder(desk: Desk, node: NodeId, version: Buffer | undefined): Holder {
  if (!version) return { node, role: 'primary', etag: '', dots: [], state: 'absent' }
  const now = desk.env.clock.wall()
  const visible = visibleCount(version, now)
  return {
    node,
    role: 'primary',
    etag: etagOf(version, now),
    dots: describeVersion(version).live.map(({ dot }) => dot),
    state: visible === 0 ? 'deleted' : visible === 1 ? 'value' : 'siblings',
  }
}

const isVersion = (bytes: Buffer): boolean => validateVersion(bytes) === undefined
