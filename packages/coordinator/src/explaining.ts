import { describeVersion, etagOf, validateVersion, visibleCount } from '@shoal/causality'
import type { ErrorCode, Millis, NodeId } from '@shoal/kernel'
import { tokenHex } from '@shoal/ring'
import { rowVersion } from '@shoal/storage'
import { answerKinds, decodeRefusal, encodeRead, questionKinds, readFlags } from '@shoal/wire'
import type { Desk } from './desk.ts'
import type { Place } from './place.ts'
import type { Explanation } from './requests.ts'

type Holder = Explanation['holders'][number]

/** Who should hold a key, and what each of them says it holds right now. Repairs nothing. */
export async function explainKey(desk: Desk, place: Place, timeout: Millis): Promise<Explanation> {
  const { rowKey, nodes, partition } = place
  const down = nodes.filter((node) => node !== desk.self && !desk.peers.isUp(node))
  const holders = await Promise.all(nodes.map((node) => askHolder(desk, node, rowKey, timeout)))
  return {
    token: tokenHex(rowKey),
    partition,
    preferenceList: nodes,
    fallbacks: desk.ring().fallbacks(partition as never, down),
    holders,
    hintsOwed: desk.hints?.owed(rowKey) ?? 0,
  }
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
