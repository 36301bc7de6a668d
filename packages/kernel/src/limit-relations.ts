import { invariant } from './invariant.ts'
import { type Limits, limits } from './limits.ts'
import { kibibytes } from './units.ts'

/** How limits must agree, stated as what holds when they do. */
export interface LimitRelation {
  readonly rule: string
  readonly holds: (given: Limits) => boolean
}

export const limitRelations: readonly LimitRelation[] = [
  {
    rule: 'a full sibling set of default-sized values fits one peer frame',
    holds: (l) => l.siblingsMax * (l.valueBytesDefault + l.keyBytesMax) < l.peerFrameBytesMax,
  },
  {
    rule: 'the largest value fits one peer frame with its clock',
    holds: (l) => l.valueBytesMax + l.keyBytesMax + kibibytes(256) < l.peerFrameBytesMax,
  },
  {
    rule: 'what vendors keep of a trace fits its place in a question, behind both ids',
    holds: (l) => l.traceStateCharsMax + 25 <= l.peerTraceBytesMax,
  },
  {
    rule: 'the window of a channel admits its largest frame',
    holds: (l) => l.peerFrameBytesMax <= l.peerBytesInFlightMax,
  },
  {
    rule: 'siblings are warned about before refused',
    holds: (l) => l.siblingsWarn < l.siblingsMax,
  },
  {
    rule: 'a bucket without properties has siblings as one may set them',
    holds: (l) => l.siblingsMaxDefault <= l.siblingsMax,
  },
  {
    rule: 'wide clocks are warned about first',
    holds: (l) => l.clockActorsWarn < l.clockActorsMax,
  },
  {
    rule: 'the default value bound lies within what may be configured',
    holds: (l) => l.valueBytesDefault <= l.valueBytesMax,
  },
  {
    rule: 'default deadlines lie within what a client may ask',
    holds: (l) =>
      [l.writeTimeoutDefault, l.readTimeoutDefault].every(
        (deadline) => l.timeoutMin <= deadline && deadline <= l.timeoutMax,
      ),
  },
  {
    rule: 'a group fits its queue',
    holds: (l) =>
      l.groupOperationsMax <= l.pipelineOperationsMax && l.groupBytesMax <= l.pipelineBytesMax,
  },
  {
    rule: 'the space kept free holds every memtable that a restart has to flush',
    holds: (l) =>
      2 * l.storeRowsMemtableBytes +
        1.5 * (l.storeVersionsMemtableBytes + 3 * l.storeSmallMemtableBytes) <
      l.storeFreeBytesMin,
  },
  {
    rule: 'the default page is an allowed page',
    holds: (l) => l.listKeysDefault <= l.listKeysMax,
  },
  {
    rule: 'a largest context and a largest session fit the headers together',
    holds: (l) => l.contextTokenBytesMax + l.sessionTokenBytesMax < l.headerBytesMax,
  },
  {
    rule: 'a largest context and the tokens of a session fit the headers together',
    holds: (l) => l.contextTokenBytesMax + l.clientSessionHeaderBytesMax < l.headerBytesMax,
  },
  {
    rule: 'a node takes every batch that a client gathers',
    holds: (l) => l.clientBatchBodyBytesMax <= l.batchBodyBytesMax,
  },
  {
    rule: 'the largest value fits the pipeline',
    holds: (l) => l.valueBytesMax <= l.pipelineBytesMax,
  },
  {
    rule: 'one body of the largest size can be received',
    holds: (l) =>
      l.valueBytesMax <= l.bodyBytesInFlightMax && l.batchBodyBytesMax <= l.bodyBytesInFlightMax,
  },
  {
    rule: 'the longest key, percent-encoded, and the largest context fit one request',
    holds: (l) => l.contextTokenBytesMax + 3 * l.keyBytesMax < l.headerBytesMax,
  },
  {
    rule: 'a ping has time to come back',
    holds: (l) => l.peerPing < l.peerSilenceMax,
  },
  {
    rule: 'strangers get the least room',
    holds: (l) => l.peerOpeningBytesMax <= l.peerHelloBytesMax,
  },
  {
    rule: 'a full window of questions never closes the channel',
    holds: (l) => l.peerBytesInFlightMax < l.peerOutputBytesMax,
  },
  {
    rule: 'a newcomer outlasts the contest for its id',
    holds: (l) => l.peerContest < l.peerHandshake,
  },
  {
    rule: 'the default ring is an allowed ring',
    holds: (l) => l.partitionsMin <= l.partitionsDefault && l.partitionsDefault <= l.partitionsMax,
  },
  {
    rule: 'the largest ring fits its record',
    holds: (l) => {
      const labels = l.nodeIdCharsMax + l.memberUrlCharsMax + 2 * l.memberLabelCharsMax
      const table = l.partitionsMax * l.replicasMax * 2
      return l.nodesMax * (labels + 16) + table + 64 < l.ringRecordBytesMax
    },
  },
  {
    rule: 'every replica that is down has a stand-in',
    holds: (l) => l.replicasMax <= l.fallbacksMax,
  },
  {
    rule: 'a round of hints leaves room in the window of its channel',
    holds: (l) => l.hintBytesInFlightMax < l.peerBytesInFlightMax,
  },
  {
    rule: 'a round outlasts its answers',
    holds: (l) => l.hintAnswerTimeout < l.hintRoundTime,
  },
]

for (const { rule, holds } of limitRelations) invariant(holds(limits), rule)
