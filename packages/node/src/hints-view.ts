import { readable } from '@shoal/coordinator'
import type { Handoff, HintFigures } from '@shoal/handoff'
import { type NodeId, seconds } from '@shoal/kernel'
import type { Ring } from '@shoal/ring'
import type { Peers } from '@shoal/transport'
import { answerKinds, decodeHints, type HintsMessage, questionKinds } from '@shoal/wire'
import type { HintsState } from './http/schemas/jobs.ts'
import type { Job, Jobs } from './jobs.ts'

/** What is owed, for the routes that show it. */
export interface HintsView {
  /** Of this node, from its memory. */
  own(): HintsState
  /** Of all nodes that answer. */
  cluster(): Promise<HintsState>
  /**
   * Begins to wait for every hint of this moment (H4).
   *
   * @throws SHOAL_OVERLOADED while too many others wait
   */
  sync(): Job
}

export interface HintsViewParts {
  readonly self: NodeId
  readonly ring: Ring
  readonly peers: Pick<Peers, 'ask' | 'isUp'>
  readonly handoff: Handoff | undefined
  readonly jobs: Jobs
}

const ASK_TIMEOUT = seconds(1)
const NOTHING = Buffer.alloc(0)
const noHints: HintFigures = { total: 0, bytes: 0, oldestMs: 0, targets: [] }

/** @param rowKey  to count those of one key alone; empty for all */
export function hintsOf(handoff: Handoff | undefined, rowKey: Buffer = NOTHING): HintFigures {
  if (!handoff) return noHints
  return rowKey.length === 0 ? handoff.figures() : { ...noHints, total: handoff.owed(rowKey) }
}

export function createHintsView(parts: HintsViewParts): HintsView {
  const { self, ring, peers, handoff, jobs } = parts
  return {
    own: () => asState([hintsOf(handoff)]),
    cluster: async () => {
      const others = ring.record.members.map(({ id }) => id).filter((id) => id !== self)
      const answers = await Promise.all(others.map((id) => askHints(peers, id)))
      const told = answers.filter((answer) => answer !== undefined)
      const silent = others.filter((_id, index) => answers[index] === undefined)
      return { ...asState([hintsOf(handoff), ...told]), silent }
    },
    sync: () => {
      const sync = handoff?.sync()
      return jobs.add('hint-sync', () => sync?.status() ?? nothingToDeliver)
    },
  }
}

const nothingToDeliver = { state: 'done', progress: 1, etaMs: 0, detail: 'no hints' } as const

/** What several nodes owe the same target is one line. */
function asState(all: readonly HintsMessage[]): HintsState {
  const targets = new Map<NodeId, HintsState['targets'][number]>()
  for (const each of all.flatMap((figures) => figures.targets)) {
    const sum = targets.get(each.node)
    targets.set(each.node, {
      node: each.node,
      count: each.count + (sum?.count ?? 0),
      bytes: each.bytes + (sum?.bytes ?? 0),
      oldestMs: Math.max(each.oldestMs, sum?.oldestMs ?? 0),
      dirtyPartitions: each.dirtyPartitions + (sum?.dirtyPartitions ?? 0),
    })
  }
  return {
    total: all.reduce((sum, { total }) => sum + total, 0),
    bytes: all.reduce((sum, { bytes }) => sum + bytes, 0),
    oldestMs: all.reduce((oldest, { oldestMs }) => Math.max(oldest, oldestMs), 0),
    targets: [...targets.values()],
  }
}

function askHints(peers: Pick<Peers, 'ask'>, to: NodeId): Promise<HintsMessage | undefined> {
  const question = { to, kind: questionKinds.hints, body: NOTHING, timeout: ASK_TIMEOUT, tag: 0 }
  return new Promise((resolve) => {
    peers.ask(question, {
      answered: (_tag, kind, body) =>
        resolve(kind === answerKinds.hints ? readable(() => decodeHints(body)) : undefined),
      failed: () => resolve(undefined),
    })
  })
}
