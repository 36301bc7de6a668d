/** @shoal/transport: questions and answers between nodes. */

export { type Faults, noFaults } from './memory/direction.ts'
export {
  createMemoryNetwork,
  type MemoryNetwork,
  type MemoryNetworkOptions,
  type MemoryNode,
} from './memory/network.ts'
export type { AnswerSink, IncomingQuestion, PeerStatus, Peers, Question } from './peers.ts'
export type { PeerTls } from './socket/certified.ts'
export { upgradeProtocol } from './socket/dial.ts'
export { createPeers } from './socket/network-peers.ts'
export type {
  Member,
  NetworkPeers,
  PeersOptions,
  RingOfPeers,
  TransportEvent,
} from './socket/options.ts'
