import type { AntiEntropy, BackgroundBudget } from '@shoal/antientropy'
import type { Coordinator, Follower } from '@shoal/coordinator'
import type { Handoff } from '@shoal/handoff'
import type { Membership } from '@shoal/membership'
import { answerAsReplica, type Replica } from '@shoal/replica'
import type { Ring } from '@shoal/ring'
import type { IncomingQuestion } from '@shoal/transport'
import {
  answerKinds,
  encodeHints,
  encodeRefusal,
  encodeRepairs,
  encodeStatus,
  questionKinds,
  type StatusMessage,
} from '@shoal/wire'
import { hintsOf } from './hints-view.ts'
import { repairsMessage } from './repairs-message.ts'

/** A question, and who follows what is done for it. */
export interface FollowedQuestion extends IncomingQuestion {
  readonly follower?: Follower
}

/** Who answers what a peer asks. A peer with an older ring is told to fetch the newer one (Q8). */
export function answerer(parts: {
  readonly ring: Ring
  readonly replica: Replica
  readonly membership: Membership | undefined
  readonly handoff: Handoff | undefined
  readonly coordinator: Coordinator
  readonly antiEntropy: AntiEntropy
  readonly budget: BackgroundBudget
  readonly lost: AntiEntropy | undefined
  readonly status: () => StatusMessage
  readonly follow: ((question: IncomingQuestion) => FollowedQuestion) | undefined
}): (question: IncomingQuestion) => void {
  const { ring, replica, membership, handoff, coordinator, antiEntropy, lost, status } = parts
  const { follow } = parts
  return (asked) => {
    // Before anything else, and whatever the epoch: a probe that waits blames a node that is well.
    if (membership?.answer(asked)) return
    const question: FollowedQuestion =
      follow === undefined || asked.trace === undefined ? asked : follow(asked)
    if (question.epoch !== ring.epoch) {
      return question.answer(answerKinds.refused, encodeRefusal('SHOAL_EPOCH_STALE'))
    }
    if (answerAsReplica(replica, question, lost) || coordinator.answer(question)) return
    if (antiEntropy.answer(question)) return
    if (question.kind === questionKinds.status) {
      return question.answer(answerKinds.status, encodeStatus(status()))
    }
    if (question.kind === questionKinds.hints) {
      return question.answer(answerKinds.hints, encodeHints(hintsOf(handoff, question.body)))
    }
    if (question.kind === questionKinds.repairs) {
      return question.answer(answerKinds.repairs, encodeRepairs(repairsMessage(parts)))
    }
    question.answer(answerKinds.refused, encodeRefusal('SHOAL_FRAME_INVALID'))
  }
}
