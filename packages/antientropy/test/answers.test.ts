import { type ErrorCode, limits, millis, type NodeId, type Partition } from '@shoal/kernel'
import { makeRowKey, partitionOfRowKey, segmentOfRowKey } from '@shoal/ring'
import {
  answerKinds,
  decodeRefusal,
  encodeExchange,
  encodeExchangeAnswer,
  encodeProof,
  encodeSegmentKeys,
  encodeSegmentKeysAnswer,
  questionKinds,
  type SegmentKey,
} from '@shoal/wire'
import t from 'tap'
import type { PeerQuestion, PeerSink } from '../src/index.ts'
import { TestCluster } from './support/cluster.ts'

const PARTITIONS = 8
const rowKeyOf = (key: string): Buffer => makeRowKey('b', key)
const partitionOf = (key: string): Partition => partitionOfRowKey(rowKeyOf(key), PARTITIONS)
const segmentOf = (key: string): number => segmentOfRowKey(rowKeyOf(key), PARTITIONS)

interface Answered {
  readonly kind: number
  readonly body: Buffer
}

/** What a node answers to a question that bypasses the network. */
async function ask(
  cluster: TestCluster,
  id: string,
  question: { readonly from: string; readonly kind: number; readonly body: Buffer },
): Promise<Answered | undefined> {
  const { antiEntropy } = cluster.node(id)
  return cluster.settled(
    new Promise((resolve) => {
      const taken = antiEntropy.answer({
        ...question,
        from: question.from as NodeId,
        answer: (kind, body) => resolve({ kind, body: Buffer.from(body) }),
      })
      if (!taken) resolve(undefined)
    }),
  )
}

const refusalOf = (answer: Answered | undefined): ErrorCode | undefined =>
  answer?.kind === answerKinds.refused ? decodeRefusal(answer.body) : undefined

const rootQuestion = (partition: Partition) =>
  encodeExchange({ level: 'root', partition, root: Buffer.alloc(32) })
const keysQuestion = (partition: Partition, segments: readonly number[] = [1]) =>
  encodeSegmentKeys({ partition, segments, after: Buffer.alloc(0) })

t.test(
  'X28: only the replicas of a partition may compare it, and only with each other',
  async (t) => {
    const cluster = await TestCluster.start({ nodes: 4, idle: true })
    const all = Array.from({ length: PARTITIONS }, (_none, index) => index as Partition)
    const holders = (partition: Partition) => cluster.ringOf('n1').preferenceList(partition)
    const shared = all.find((each) =>
      ['n1', 'n2'].every((id) => holders(each).includes(id as NodeId)),
    )
    const foreign = all.find((each) => !holders(each).includes('n1' as NodeId)) as Partition
    const oneSided = all.find(
      (each) => holders(each).includes('n1' as NodeId) && !holders(each).includes('n2' as NodeId),
    ) as Partition
    for (const [partition, wanted] of [
      [shared as Partition, undefined],
      [foreign, 'SHOAL_NOT_REPLICA'],
      [oneSided, 'SHOAL_NOT_REPLICA'],
      [4_000 as Partition, 'SHOAL_NOT_REPLICA'],
    ] as const) {
      for (const [kind, body] of [
        [questionKinds.exchange, rootQuestion(partition)],
        [questionKinds.segmentKeys, keysQuestion(partition)],
      ] as const) {
        t.equal(refusalOf(await ask(cluster, 'n1', { from: 'n2', kind, body })), wanted)
      }
    }
  },
)

t.test('X28: what is no message is refused; what is no question of ours is left', async (t) => {
  const cluster = await TestCluster.start({ idle: true })
  for (const kind of [questionKinds.exchange, questionKinds.segmentKeys, questionKinds.proof]) {
    for (const body of [Buffer.alloc(0), Buffer.alloc(3, 255), Buffer.from('no row key')]) {
      const answer = await ask(cluster, 'n1', { from: 'n2', kind, body })
      t.equal(refusalOf(answer), 'SHOAL_FRAME_INVALID')
    }
  }
  const other = { from: 'n2', kind: questionKinds.read, body: Buffer.alloc(1) }
  t.equal(await ask(cluster, 'n1', other), undefined)
})

t.test(
  'X13: lists are not made while the budget is paused, nor more at a time than allowed',
  async (t) => {
    const cluster = await TestCluster.start({ idle: true, readLatency: millis(50) })
    await cluster.put('n1', 'key 1', 'value')
    const { budget } = cluster.node('n1')
    const P = partitionOf('key 1')
    const kind = questionKinds.segmentKeys
    budget.pause()
    const paused = await ask(cluster, 'n1', { from: 'n2', kind, body: keysQuestion(P) })
    t.equal(refusalOf(paused), 'SHOAL_OVERLOADED')
    const root = { from: 'n2', kind: questionKinds.exchange, body: rootQuestion(P) }
    t.equal(refusalOf(await ask(cluster, 'n1', root)), undefined, 'roots cost nothing')
    budget.resume()
    const answers: (ErrorCode | undefined)[] = []
    const { antiEntropy } = cluster.node('n1')
    for (let count = 0; count < limits.exchangeListingsMax + 3; count++) {
      antiEntropy.answer({
        ...{ from: 'n2' as NodeId, kind, body: keysQuestion(P) },
        answer: (answer, body) =>
          void answers.push(refusalOf({ kind: answer, body: Buffer.from(body) })),
      })
    }
    t.same(answers, Array(3).fill('SHOAL_OVERLOADED'))
    await cluster.until(() => answers.length === limits.exchangeListingsMax + 3)
    t.equal(answers.filter((code) => code === undefined).length, limits.exchangeListingsMax)
    const proof = { from: 'n9', kind: questionKinds.proof, body: encodeProof(rowKeyOf('key 1')) }
    t.equal(
      (await ask(cluster, 'n1', proof))?.kind,
      answerKinds.proof,
      'anyone may ask for a proof',
    )
  },
)

/** A peer that says what it is told to say. */
class Liar {
  readonly asked: number[] = []
  readonly #answers: Partial<Record<number, Answered | ErrorCode>>

  constructor(answers: Partial<Record<number, Answered | ErrorCode>>) {
    this.#answers = answers
  }

  isUp(): boolean {
    return true
  }

  ask(question: PeerQuestion, sink: PeerSink): void {
    this.asked.push(question.kind)
    const answer = this.#answers[question.kind] ?? 'SHOAL_PEER_TIMEOUT'
    queueMicrotask(() => {
      if (typeof answer === 'string') sink.failed(question.tag, answer)
      else sink.answered(question.tag, answer.kind, answer.body, false)
    })
  }
}

const listOf = (entries: readonly SegmentKey[], unreadable: readonly number[] = []): Answered => ({
  kind: answerKinds.segmentKeys,
  body: encodeSegmentKeysAnswer({ entries, finished: true, unreadable }),
})
const entryOf = (rowKey: Buffer): SegmentKey => ({
  ...{ rowKey, digest: Buffer.alloc(8, 1), damaged: false },
})

t.test('X28: a list with what was not asked for is not believed (M2)', async (t) => {
  const cluster = await TestCluster.start({ idle: true })
  const [one, ...rest] = Array.from({ length: 400 }, (_none, index) => `key ${index}`)
  const P = partitionOf(one as string)
  const here = rest.filter((key) => partitionOf(key) === P)
  const segments = [...new Set(here.map(segmentOf))].sort((left, right) => left - right).slice(1)
  const inside = here
    .map(rowKeyOf)
    .filter((rowKey) => segments.includes(segmentOfRowKey(rowKey, PARTITIONS)))
    .sort(Buffer.compare)
  const outside = rest.find((key) => partitionOf(key) !== P) as string
  const unasked = here.find((key) => !segments.includes(segmentOf(key))) as string
  const stray = Buffer.from(inside[0] as Buffer)
  stray[stray.length - 1] = (stray[stray.length - 1] as number) ^ 1
  const lies: Record<string, Answered> = {
    'another partition': listOf([entryOf(rowKeyOf(outside))]),
    'a segment not asked for': listOf([entryOf(rowKeyOf(unasked))]),
    'a key under a wrong hash': listOf([entryOf(stray)]),
    'keys out of order': listOf([...inside].reverse().map(entryOf)),
    'a key twice': listOf([inside[0], inside[0]].map((key) => entryOf(key as Buffer))),
    'an unreadable segment not asked for': listOf([], [segmentOf(unasked)]),
    'no list at all': { kind: answerKinds.exchange, body: encodeExchangeAnswer({ level: 'same' }) },
    rubbish: { kind: answerKinds.segmentKeys, body: Buffer.alloc(2) },
  }
  for (const [what, answer] of Object.entries(lies)) {
    const peers = new Liar({ [questionKinds.segmentKeys]: answer })
    const ending = await cluster.exchange('n1', { partition: P, segments, peer: 'n2', peers })
    t.match(ending, { complete: false, pulledAll: false, code: 'SHOAL_FRAME_INVALID' }, what)
    t.same(peers.asked, [questionKinds.segmentKeys], what)
  }
  const truth = new Liar({ [questionKinds.segmentKeys]: listOf([]) })
  const plan = { partition: P, segments, peer: 'n2', peers: truth }
  t.match(await cluster.exchange('n1', plan), { complete: true })
})

t.test('X28: answers of the wrong level end an exchange', async (t) => {
  const cluster = await TestCluster.start({ idle: true })
  await cluster.put('n1', 'key 1', 'value')
  const partition = partitionOf('key 1')
  const leaves = encodeExchangeAnswer({ level: 'leaves', groups: 1, digests: [Buffer.alloc(256)] })
  for (const body of [leaves, Buffer.alloc(0)]) {
    const peers = new Liar({ [questionKinds.exchange]: { kind: answerKinds.exchange, body } })
    const ending = await cluster.exchange('n1', { partition, peer: 'n2', peers })
    t.match(ending, { complete: false, code: 'SHOAL_FRAME_INVALID' })
  }
})

t.test('V11: a row that arrives damaged is not merged', async (t) => {
  const cluster = await TestCluster.start({ idle: true })
  await cluster.put('n2', 'key 1', 'value')
  const row = Buffer.from(cluster.rowAt('n2', 'key 1') as Buffer)
  row[row.length - 3] = (row[row.length - 3] as number) ^ 1
  const peers = new Liar({
    [questionKinds.segmentKeys]: listOf([entryOf(rowKeyOf('key 1'))]),
    [questionKinds.read]: { kind: answerKinds.row, body: row },
  })
  const plan = { partition: partitionOf('key 1'), segments: [segmentOf('key 1')], peer: 'n2' }
  const ending = await cluster.exchange('n1', { ...plan, peers })
  t.match(ending, { complete: false, pulledAll: false, tally: { unhealed: 1 } })
  t.equal(cluster.rowAt('n1', 'key 1'), undefined)
})

t.test('X13: a peer that is gone is not asked for each of a thousand keys', async (t) => {
  const cluster = await TestCluster.start({ idle: true })
  const keys = Array.from({ length: 4_000 }, (_none, index) => `key ${index}`)
  const P = partitionOf('key 0')
  const rowKeys = keys.map(rowKeyOf).filter((each) => partitionOfRowKey(each, PARTITIONS) === P)
  const segments = [...new Set(rowKeys.map((each) => segmentOfRowKey(each, PARTITIONS)))]
  const peers = new Liar({
    [questionKinds.segmentKeys]: listOf(rowKeys.sort(Buffer.compare).map(entryOf)),
    [questionKinds.read]: 'SHOAL_PEER_LOST',
  })
  const plan = { partition: P, segments: segments.sort((a, b) => a - b), peer: 'n2', peers }
  const ending = await cluster.exchange('n1', plan)
  t.match(ending, { complete: false, code: 'SHOAL_PEER_LOST' })
  t.ok(peers.asked.length <= limits.exchangeRowsInFlightMax + 1, `${peers.asked.length} questions`)
})

t.test('an exchange with a peer that has no time is tried again', async (t) => {
  let busy = true
  const cluster = await TestCluster.start({
    inject: (label) => busy && label === 'antientropy: too many listings',
  })
  await cluster.put('n1', 'key 1', 'value')
  const codes = () =>
    [...cluster.nodes.values()].flatMap(({ events }) =>
      events.flatMap((event) => (event.kind === 'exchangeEnded' ? [event.code] : [])),
    )
  for (const { antiEntropy } of cluster.nodes.values()) {
    for (const peer of ['n1', 'n2']) antiEntropy.markDirty(partitionOf('key 1'), peer as NodeId)
  }
  await cluster.until(() => codes().includes('SHOAL_OVERLOADED'))
  busy = false
  await cluster.until(() => cluster.rowAt('n2', 'key 1') !== undefined)
  t.pass('the key arrived')
})
