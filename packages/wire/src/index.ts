/** @shoal/wire: what nodes say to each other, as bytes; and the names of headers and parameters. */
export { ByteReader, ByteWriter } from './bytes.ts'
export { FrameDecoder, type FrameHandler } from './frame/decoder.ts'
export {
  frameBodyBytesMax,
  frameTypes,
  headerBytes,
  questionHeaderBytes,
  refusalKinds,
  tracedHeaderBytes,
} from './frame/format.ts'
export {
  channelIdBytes,
  commonVersion,
  decodeHello,
  decodeOpen,
  decodeReady,
  decodeRefused,
  digestBytes,
  encodeHello,
  encodeOpen,
  encodeReady,
  encodeRefused,
  features,
  type Hello,
  nonceBytes,
  type Open,
  type Ready,
  type Refused,
  type RingSummary,
  runIdBytes,
  supportedFeatures,
  supportedVersions,
} from './frame/hello.ts'
export { channelIdOf, type Opening, prove, type Role, verify } from './frame/proof.ts'
export { FrameWriter, referencedBodyBytesMin } from './frame/writer.ts'
export {
  consistencyLevels,
  consistencyParameters,
  contextPrefix,
  headerNames,
  mediaTypes,
  newSession,
  peerUpgradeProtocol,
  receiptMembers,
  resolveSiblings,
} from './headers.ts'
export {
  decodeExchange,
  decodeExchangeAnswer,
  decodeSegmentKeys,
  decodeSegmentKeysAnswer,
  type ExchangeAnswer,
  type ExchangeMessage,
  encodeExchange,
  encodeExchangeAnswer,
  encodeSegmentKeys,
  encodeSegmentKeysAnswer,
  type SegmentKey,
  type SegmentKeysAnswer,
  type SegmentKeysMessage,
} from './messages/exchange.ts'
export {
  decodeForwardedAnswer,
  encodeForwardedAnswer,
  type ForwardedAnswer,
} from './messages/forwarded-answer.ts'
export {
  decodeForwardedWrite,
  encodeForwardedWrite,
  type ForwardedWrite,
} from './messages/forwarded-write.ts'
export {
  decodeGossip,
  decodeGossipSync,
  decodeRingFetch,
  encodeGossip,
  encodeGossipSync,
  encodeRingFetch,
  type GossipMessage,
  type GossipSyncMessage,
  type RingFetchMessage,
} from './messages/gossip.ts'
export { decodeHints, encodeHints, type HintsMessage } from './messages/hints.ts'
export { answerKinds, questionKinds } from './messages/kinds.ts'
export {
  decodePing,
  decodePingRequest,
  decodePong,
  encodePing,
  encodePingRequest,
  encodePong,
  type MemberState,
  type MembershipHeader,
  type MemberUpdate,
  memberStates,
  type PingMessage,
  type PingRequestMessage,
  type PongMessage,
  type RingStamp,
} from './messages/membership.ts'
export {
  decodeProof,
  decodeProofAnswer,
  encodeProof,
  encodeProofAnswer,
  type ProofAnswer,
  type ProofStep,
} from './messages/proof.ts'
export { decodeRepairs, encodeRepairs, type RepairsMessage } from './messages/repairs.ts'
export {
  decodeList,
  decodeListed,
  decodeMerge,
  decodeRead,
  decodeRefusal,
  decodeStandIn,
  encodeList,
  encodeListed,
  encodeRead,
  encodeRefusal,
  encodeStandIn,
  type ListedMessage,
  type ListMessage,
  type MergeMessage,
  mergeFlags,
  mergeHeaderBytes,
  type ReadMessage,
  readFlags,
  type StandInMessage,
  writeMergeHeader,
} from './messages/replica.ts'
export { decodeStatus, encodeStatus, type StatusMessage } from './messages/status.ts'
export { decodeTrace, encodeTrace, type TraceMessage } from './messages/trace.ts'
export {
  decodeTraceContext,
  encodeTraceContext,
  formatTraceparent,
  maySample,
  parseTraceContext,
  type TraceContext,
} from './trace-context.ts'
