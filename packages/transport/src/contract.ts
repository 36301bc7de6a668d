import type { Test } from 'tap'
import { answerContract } from './contract/answers.ts'
import { failureContract } from './contract/failures.ts'
import type { OpenPair } from './contract/pair.ts'
import { windowContract } from './contract/windows.ts'

export type { Handlers, OpenPair, PeersPair } from './contract/pair.ts'

/**
 * What every implementation of the Peers port must do. Run it unchanged on each:
 * `peersContract(t, open)`, where `open` makes a fresh pair of nodes.
 */
export function peersContract(t: Test, open: OpenPair): void {
  answerContract(t, open)
  failureContract(t, open)
  windowContract(t, open)
}
