/** How far this node's copies may be apart from others (E6), as it tells one that asks for all. */
import { type AntiEntropy, type BackgroundBudget, type Debt, debtOf } from '@shoal/antientropy'
import { readable } from '@shoal/coordinator'
import type { Handoff } from '@shoal/handoff'
import { millis, type NodeId, seconds } from '@shoal/kernel'
import type { Replica } from '@shoal/replica'
import type { Peers } from '@shoal/transport'
import { answerKinds, decodeRepairs, questionKinds, type RepairsMessage } from '@shoal/wire'
import { hintsOf } from './hints-view.ts'

/** What tells how the copies of a node are. */
export interface Standing {
  readonly antiEntropy: AntiEntropy
  readonly budget: BackgroundBudget
  /** Undefined where it is switched off. */
  readonly handoff: Handoff | undefined
  readonly replica: Pick<Replica, 'figures'>
}

export function debtNow({ antiEntropy, handoff }: Standing): Debt {
  const { bytes, oldestMs } = hintsOf(handoff)
  return antiEntropy.debt({ bytes, oldest: millis(oldestMs) })
}

export function repairsMessage(standing: Standing): RepairsMessage {
  const { antiEntropy, budget, replica } = standing
  const debt = debtNow(standing)
  const { rate, paused, quiet, waiting, etaMs } = budget.figures()
  const { lost, unhealed } = antiEntropy.figures()
  return {
    oldestUnverifiedMs: debt.oldestUnverified,
    divergentSegments: debt.divergentSegments,
    unverified: debt.unverified,
    hintBytes: debt.hintBytes,
    oldestHintMs: debt.oldestHint,
    bytesPerSecond: Math.round(rate),
    paused,
    quiet,
    waitingBytes: waiting,
    etaMs: etaMs === undefined ? undefined : Math.round(etaMs),
    lostPartitions: lost,
    unhealed,
    tombstones: replica.figures().tombstones,
  }
}

export const debtIn = (told: RepairsMessage): Debt =>
  debtOf({
    oldestUnverified: millis(told.oldestUnverifiedMs),
    divergentSegments: told.divergentSegments,
    hintBytes: told.hintBytes,
    oldestHint: millis(told.oldestHintMs),
    unverified: told.unverified,
  })

const ASK_TIMEOUT = seconds(1)
const NOTHING = Buffer.alloc(0)

/** Undefined when it does not answer in time, or is too old to know the question. */
export function askRepairs(
  peers: Pick<Peers, 'ask'>,
  to: NodeId,
): Promise<RepairsMessage | undefined> {
  const question = { to, kind: questionKinds.repairs, body: NOTHING, timeout: ASK_TIMEOUT, tag: 0 }
  return new Promise((resolve) => {
    peers.ask(question, {
      answered: (_tag, kind, body) =>
        resolve(kind === answerKinds.repairs ? readable(() => decodeRepairs(body)) : undefined),
      failed: () => resolve(undefined),
    })
  })
}
