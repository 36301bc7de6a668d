import t from 'tap'
import { type Limits, limitRelations, limits, mebibytes, millis } from '../src/index.ts'

/** For each relation, a limit that would break it: one step over the edge where there is one. */
const broken: Readonly<Record<string, Partial<Limits>>> = {
  'a full sibling set of default-sized values fits one peer frame': { siblingsMax: 100 },
  'the largest value fits one peer frame with its clock': {
    valueBytesMax: limits.peerFrameBytesMax,
  },
  'the window of a channel admits its largest frame': {
    peerBytesInFlightMax: limits.peerFrameBytesMax - 1,
  },
  'what vendors keep of a trace fits its place in a question, behind both ids': {
    traceStateCharsMax: limits.peerTraceBytesMax,
  },
  'siblings are warned about before refused': { siblingsWarn: limits.siblingsMax },
  'a bucket without properties has siblings as one may set them': {
    siblingsMaxDefault: limits.siblingsMax + 1,
  },
  'wide clocks are warned about first': { clockActorsWarn: limits.clockActorsMax },
  'the default value bound lies within what may be configured': {
    valueBytesDefault: limits.valueBytesMax + 1,
  },
  'default deadlines lie within what a client may ask': {
    readTimeoutDefault: millis(limits.timeoutMax + 1),
  },
  'a group fits its queue': { groupBytesMax: limits.pipelineBytesMax + 1 },
  'the space kept free holds every memtable that a restart has to flush': {
    storeFreeBytesMin: mebibytes(128),
  },
  'the default page is an allowed page': { listKeysDefault: limits.listKeysMax + 1 },
  'a largest context and a largest session fit the headers together': {
    sessionTokenBytesMax: limits.headerBytesMax - limits.contextTokenBytesMax,
  },
  'a largest context and the tokens of a session fit the headers together': {
    clientSessionHeaderBytesMax: limits.headerBytesMax - limits.contextTokenBytesMax,
  },
  'a node takes every batch that a client gathers': {
    clientBatchBodyBytesMax: limits.batchBodyBytesMax + 1,
  },
  'the largest value fits the pipeline': { pipelineBytesMax: limits.valueBytesMax - 1 },
  'one body of the largest size can be received': {
    bodyBytesInFlightMax: limits.batchBodyBytesMax - 1,
  },
  'the longest key, percent-encoded, and the largest context fit one request': {
    keyBytesMax: 8_192,
  },
  'a ping has time to come back': { peerPing: limits.peerSilenceMax },
  'strangers get the least room': { peerOpeningBytesMax: limits.peerHelloBytesMax + 1 },
  'a full window of questions never closes the channel': {
    peerOutputBytesMax: limits.peerBytesInFlightMax,
  },
  'a newcomer outlasts the contest for its id': { peerContest: limits.peerHandshake },
  'the default ring is an allowed ring': { partitionsDefault: limits.partitionsMax + 1 },
  'the largest ring fits its record': { nodesMax: 2_000 },
  'every replica that is down has a stand-in': { fallbacksMax: limits.replicasMax - 1 },
  'a round of hints leaves room in the window of its channel': {
    hintBytesInFlightMax: limits.peerBytesInFlightMax,
  },
  'a round outlasts its answers': { hintRoundTime: limits.hintAnswerTimeout },
}

t.test('K10: limits agree, and each relation would notice if they did not', async (t) => {
  t.same(limitRelations.map(({ rule }) => rule).sort(), Object.keys(broken).sort())
  for (const { rule, holds } of limitRelations) {
    t.ok(holds(limits), rule)
    t.notOk(holds({ ...limits, ...broken[rule] }), `broken: ${rule}`)
  }
})

t.test('every limit is a number above zero, and whole unless it is a weight', async (t) => {
  for (const [name, value] of Object.entries(limits)) {
    t.ok(value > 0 && Number.isFinite(value), name)
    t.ok(Number.isInteger(value) || name.startsWith('memberWeight'), `${name} is whole`)
  }
})

t.test('what nodes write into few bytes fits them', async (t) => {
  t.ok(limits.replicasMax < 0xff, 'counts of replicas travel in one byte, 255 for absent')
  t.ok(8 + limits.bucketNameBytesMax + 1 + limits.keyBytesMax <= 0xffff, 'a row key has 16 bits')
  t.equal(Math.log2(limits.digestSegments) % 1, 0, 'segments are cut by bits of the token')
})
