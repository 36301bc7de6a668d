import { type ErrorCode, epoch, limits, millis, nodeId } from '@shoal/kernel'
import { encodeRing } from '@shoal/ring'
import type { AnswerSink, IncomingQuestion, Question } from '@shoal/transport'
import {
  answerKinds,
  decodeGossip,
  decodePing,
  encodeGossipSync,
  encodePing,
  encodeRefusal,
  encodeRingFetch,
  questionKinds,
} from '@shoal/wire'
import t from 'tap'
import { Membership } from '../src/index.ts'
import { Questions } from '../src/shell/questions.ts'
import { openCluster, successorOf } from './support/cluster.ts'

const seed = Number(process.env.SHOAL_SEED ?? 20_071_014)
t.comment(`seed ${seed}`)

t.test('nodes that start find each other alive', async (t) => {
  const cluster = openCluster(4, seed)
  const [one] = cluster.others(0)
  t.equal(one?.membership.isUsable(nodeId('n0')), false, 'not before it was reached')
  const usable = () =>
    cluster
      .others(-1)
      .every(({ membership, id }) =>
        cluster.others(-1).every((other) => other.id === id || membership.isUsable(other.id)),
      )
  t.ok(cluster.until(usable, 1_000) < 1_000)
  cluster.advance(10_000)
  const { membership } = cluster.node(0)
  t.match(membership.status, { health: 0, living: 4, suspects: 0, rumours: 0 })
  t.ok(membership.status.incarnation > 1_600_000_000_000, 'begins at the wall clock')
  t.equal(membership.isUsable(nodeId('n0')), true, 'itself')
  t.equal(membership.state(nodeId('n0')), 'alive')
  t.equal(membership.isUsable(nodeId('x')), false)
  t.equal(membership.state(nodeId('x')), undefined)
  t.equal(membership.view(nodeId('x')), undefined)
  t.equal(membership.views().length, 3)
  t.match(membership.view(nodeId('n1')), {
    ...{ node: 'n1', state: 'alive', declared: 'alive', channelUp: true },
    run: 0x0202_0202,
  })
})

t.test('G5: a killed node is avoided at once, declared dead soon, and welcome back', async (t) => {
  const cluster = openCluster(4, seed)
  cluster.advance(5_000)
  const n1 = nodeId('n1')
  const changes: string[] = []
  cluster.node(0).membership.onChange(({ node, state }, before) => {
    changes.push(`${node} ${before} ${state}`)
  })
  const before = cluster.node(0).membership.view(n1)
  cluster.crash(1)
  const avoided = () => cluster.others(1).every(({ membership }) => !membership.isUsable(n1))
  t.ok(cluster.until(avoided, 100) <= 20)
  const dead = () => cluster.others(1).every(({ membership }) => membership.state(n1) === 'dead')
  t.ok(cluster.until(dead, 8_000) < 6_000, 'every relay is refused too: nothing to wait for')
  t.equal(cluster.node(0).membership.status.living, 3)
  cluster.advance(10_000)
  cluster.join(n1)
  const back = () => cluster.others(1).every(({ membership }) => membership.isUsable(n1))
  t.ok(cluster.until(back, 5_000) < 3_000)
  const after = cluster.node(0).membership.view(n1)
  t.not(after?.run, before?.run)
  t.ok((after?.incarnation ?? 0) > (before?.incarnation ?? 0))
  t.same(changes.slice(0, 2), ['n1 alive suspect', 'n1 suspect dead'])
  t.equal(changes.at(-1)?.endsWith(' alive'), true)
  t.match(
    cluster
      .node(0)
      .events.filter(({ kind }) => kind === 'member')
      .slice(-1),
    [{ node: 'n1', state: 'alive' }],
  )
})

t.test('a node that others do not hear is dead to them, and back when they do', async (t) => {
  const cluster = openCluster(5, seed)
  cluster.advance(5_000)
  const n1 = nodeId('n1')
  for (const { id } of cluster.others(1)) {
    cluster.network.cut(n1, id)
    cluster.network.cut(id, n1)
  }
  const dead = () => cluster.others(1).every(({ membership }) => membership.state(n1) === 'dead')
  t.ok(cluster.until(dead, 30_000) < 12_000)
  cluster.advance(30_000)
  for (const { id } of cluster.others(1)) {
    cluster.network.heal(n1, id)
    cluster.network.heal(id, n1)
  }
  const right = () =>
    cluster
      .others(1)
      .every(
        ({ membership, id }) => membership.isUsable(n1) && cluster.node(1).membership.isUsable(id),
      )
  t.ok(cluster.until(right, 30_000) < 15_000)
  t.ok(cluster.node(1).events.some(({ kind }) => kind === 'refuted'))
})

t.test('G4: where only one link is broken, only its two ends avoid each other', async (t) => {
  const cluster = openCluster(4, seed)
  cluster.advance(5_000)
  const [n0, n1] = [nodeId('n0'), nodeId('n1')]
  cluster.network.cut(n0, n1)
  cluster.network.cut(n1, n0)
  const [one, other] = [cluster.node(0).membership, cluster.node(1).membership]
  t.ok(cluster.until(() => !one.isUsable(n1) && !other.isUsable(n0), 20_000) < 6_000)
  cluster.advance(60_000)
  t.match(one.view(n1), { state: 'suspect', declared: 'alive' })
  for (const { id, membership } of cluster.others(1)) {
    t.equal(membership.view(n1)?.declared, 'alive', `to ${id}`)
    t.equal(membership.isUsable(n1), id !== 'n0')
  }
})

t.test(
  'G5: a failed request counts at once; one that was refused for a reason does not',
  async (t) => {
    const cluster = openCluster(4, seed)
    cluster.advance(5_000)
    const n1 = nodeId('n1')
    const { membership } = cluster.node(0)
    const codes: ErrorCode[] = ['SHOAL_PEER_BUSY', 'SHOAL_PEER_TOO_LARGE', 'SHOAL_OVERLOADED']
    for (const code of codes) membership.noteFailure(n1, code)
    t.equal(membership.isUsable(n1), true)
    for (const code of [
      'SHOAL_PEER_TIMEOUT',
      'SHOAL_PEER_LOST',
      'SHOAL_PEER_UNREACHABLE',
    ] as const) {
      membership.noteFailure(n1, code)
      t.equal(membership.isUsable(n1), false, code)
      t.ok(cluster.until(() => membership.isUsable(n1), 1_000) < 300, 'it answers a probe')
      cluster.advance(300)
    }
  },
)

t.test('G15: a node that stops says so', async (t) => {
  const cluster = openCluster(4, seed)
  cluster.advance(5_000)
  const n1 = nodeId('n1')
  const { membership, peers } = cluster.node(1)
  membership.leave()
  t.equal(membership.state(n1), 'left')
  void peers.stop(millis(cluster.env.clock.elapsed() + 1_000))
  const left = () => cluster.others(1).every((node) => node.membership.state(n1) === 'left')
  t.ok(cluster.until(left, 2_000) < 1_000)
  cluster.crash(1)
  cluster.advance(20_000)
  t.ok(left(), 'and is not called dead')
  cluster.join(n1)
  const back = () => cluster.others(1).every((node) => node.membership.isUsable(n1))
  t.ok(cluster.until(back, 5_000) < 3_000)
})

t.test('G11: a newer ring reaches everyone, from one node', async (t) => {
  const cluster = openCluster(6, seed)
  cluster.advance(5_000)
  const next = successorOf(cluster.founded)
  const { rings, membership } = cluster.node(0)
  rings.ring = next
  membership.ringChanged()
  const all = () => cluster.others(0).every((node) => node.rings.ring.digest === next.digest)
  t.ok(cluster.until(all, 5_000) < 1_000)
  t.ok(
    cluster.others(0).every((node) => node.rings.offers.length === 1),
    'offered once to each',
  )
})

t.test('G11: a ring that is not what it should be is not offered', async (t) => {
  const cluster = openCluster(2, seed)
  cluster.advance(5_000)
  const [one, other] = [cluster.node(0), cluster.node(1)]
  const next = successorOf(cluster.founded)
  const sent: { bytes: Buffer } = { bytes: Buffer.alloc(0) }
  one.rings.record = () => sent.bytes
  const refusalOf = (bytes: Buffer): string | undefined => {
    sent.bytes = bytes
    other.events.length = 0
    cluster.advance(5_000)
    const refused = other.events.find(({ kind }) => kind === 'ring-refused')
    return refused?.kind === 'ring-refused' ? refused.reason : undefined
  }
  one.rings.ring = next
  one.membership.ringChanged()
  t.match(refusalOf(Buffer.from('no ring')), /too short/)
  t.match(refusalOf(encodeRing(cluster.founded)), /its epoch is 1, ours 1/)
  const twin = successorOf(cluster.founded, (content) => content.write('ff'.repeat(8), 20, 'hex'))
  t.match(refusalOf(encodeRing(twin)), /its digest is .*, announced was /)
  const foreign = successorOf(cluster.founded, (content) => content.write('00'.repeat(8), 6, 'hex'))
  t.match(refusalOf(encodeRing(foreign)), /it is of cluster 0000000000000000/)
  t.same(other.rings.offers, [])
  t.equal(refusalOf(encodeRing(next)), undefined)
  t.equal(other.rings.ring.digest, next.digest)
})

t.test('G11: a ring that is not taken is offered again, and not all the time', async (t) => {
  const cluster = openCluster(2, seed)
  cluster.advance(5_000)
  const [one, other] = [cluster.node(0), cluster.node(1)]
  other.rings.takes = false
  one.rings.ring = successorOf(cluster.founded)
  one.membership.ringChanged()
  cluster.advance(10_000)
  const { length } = other.rings.offers
  t.ok(length >= 4 && length <= 11, `${length} times in ten seconds`)
})

t.test('G11: two rings of one epoch are told and not touched', async (t) => {
  const cluster = openCluster(2, seed)
  cluster.advance(5_000)
  const next = successorOf(cluster.founded)
  const twin = successorOf(cluster.founded, (content) => content.write('ff'.repeat(8), 20, 'hex'))
  for (const [index, ring] of [next, twin].entries()) {
    const { rings, membership } = cluster.node(index)
    rings.ring = ring
    membership.ringChanged()
  }
  cluster.advance(5_000)
  for (const [index, ring] of [twin, next].entries()) {
    const { events, rings } = cluster.node(index)
    const told = events.filter(({ kind }) => kind === 'ring-disputed')
    t.match(told, [{ by: `n${1 - index}`, theirs: { epoch: 2, digest: ring.digest } }])
    t.equal(told.length, 1)
    t.same(rings.offers, [])
  }
})

/** A question as the transport hands it over. */
function questionOf(kind: number, body: Buffer, parts: Partial<IncomingQuestion> = {}) {
  const answers: { kind: number; body: Uint8Array; more: boolean }[] = []
  const question: IncomingQuestion = {
    ...{ from: nodeId('n1'), kind, body, epoch: 1, deadline: millis(100_000) },
    answer: (answer, bytes, more = false) => void answers.push({ kind: answer, body: bytes, more }),
    ...parts,
  }
  return { question, answers }
}

const header = { incarnation: 1, run: 1, ring: { epoch: 1, digest: '00'.repeat(8) } }

t.test('G14: a ping is answered where it arrives, before anything else', async (t) => {
  const cluster = openCluster(3, seed)
  const { membership } = cluster.node(0)
  const ping = questionOf(questionKinds.ping, encodePing({ header, updates: [] }))
  t.equal(membership.answer(ping.question), true)
  t.match(ping.answers, [{ kind: answerKinds.pong, more: false }], 'no turn has passed')
  const behind = questionOf(questionKinds.ping, encodePing({ header, updates: [] }), { epoch: 0 })
  membership.answer(behind.question)
  t.equal(behind.answers.length, 1, 'whatever ring the asker has')
  const fetch = questionOf(questionKinds.ringFetch, encodeRingFetch({ header }))
  membership.answer(fetch.question)
  t.match(fetch.answers, [{ kind: answerKinds.ring }])
})

t.test('G10: what is told in a comparison comes in several answers to one question', async (t) => {
  const { membership, rings } = openCluster(3, seed).node(0)
  const others = Array.from({ length: 100 }, (_, index) => ({
    ...{ id: nodeId(`x${index}`), url: `http://x${index}:1`, zone: '', host: '', weight: 1 },
  }))
  const { ring } = rings
  rings.ring = { ...ring, epoch: epoch(2), members: [...ring.members, ...others] }
  membership.ringChanged()
  const updates = others.map(({ id: node }) => ({
    ...{ node, state: 'alive' as const, incarnation: 1, run: 1, witnesses: [] },
  }))
  for (const part of [updates.slice(0, 64), updates.slice(64)]) {
    const ping = encodePing({ header, updates: part })
    membership.answer(questionOf(questionKinds.ping, ping).question)
  }
  const compare = encodeGossipSync({ kind: 'compare', header, digest: '0'.repeat(16) })
  const { question, answers } = questionOf(questionKinds.gossipSync, compare)
  membership.answer(question)
  t.same(
    answers.map(({ more }) => more),
    [true, false],
  )
  const parts = answers.map(({ body }) => decodeGossip(body as Buffer).updates.length)
  t.ok(parts[0] === 64 && (parts[1] ?? 0) >= 37, `${parts}`)
})

t.test(
  'what is not for this package is left alone, what is malformed blames the peer',
  async (t) => {
    const { membership } = openCluster(3, seed).node(0)
    const kinds = [questionKinds.merge, questionKinds.read, questionKinds.status, 99]
    for (const kind of kinds) {
      const { question, answers } = questionOf(kind, Buffer.alloc(0))
      t.equal(membership.answer(question), false)
      t.same(answers, [])
    }
    const { ping, pingRequest, gossipSync, ringFetch } = questionKinds
    for (const kind of [ping, pingRequest, gossipSync, ringFetch]) {
      const { question } = questionOf(kind, Buffer.from('?'))
      t.throws(() => membership.answer(question), { code: 'SHOAL_FRAME_INVALID' })
    }
  },
)

t.test('a node of before, which refuses what it does not know, is alive', async (t) => {
  const cluster = openCluster(3, seed)
  cluster.crash(1)
  cluster.join(nodeId('n1'), (question) => {
    question.answer(answerKinds.refused, encodeRefusal('SHOAL_FRAME_INVALID'))
  })
  cluster.advance(60_000)
  t.equal(cluster.node(0).membership.isUsable(nodeId('n1')), true)
})

/** One driver whose peers only note what they are asked. */
function openAlone() {
  const cluster = openCluster(3, seed)
  const asked: { question: Question; sink: AnswerSink }[] = []
  const peers = {
    ask: (question: Question, sink: AnswerSink) => void asked.push({ question, sink }),
    isUp: () => true,
    onChange: () => undefined,
  }
  const { env, founded } = cluster
  const { rings } = cluster.node(0)
  const membership = new Membership({
    ...{ env, self: nodeId('n0'), runId: new Uint8Array(4), peers, rings },
  })
  membership.start()
  return { ...cluster, asked, membership, founded }
}

t.test('G8: news wait where too many questions are open, probes do not', async (t) => {
  const asked: { question: Question; sink: AnswerSink }[] = []
  const peers = {
    ask: (question: Question, sink: AnswerSink) => void asked.push({ question, sink }),
  }
  const questions = new Questions({ peers, step: () => undefined, header: () => header })
  const to = nodeId('n1')
  const gossip = () => questions.gossip({ kind: 'gossip', to, updates: [], missing: false })
  for (let round = 0; round < 2 * limits.membershipQuestionsMax; round++) gossip()
  t.equal(asked.length, limits.membershipQuestionsMax)
  questions.ping({ kind: 'ping', to, sequence: 1, timeout: 1, updates: [] })
  t.equal(asked.at(-1)?.question.kind, questionKinds.ping)
  asked[0]?.sink.failed(0, 'SHOAL_PEER_LOST')
  asked[1]?.sink.answered(0, answerKinds.refused, encodeRefusal('SHOAL_DRAINING'), false)
  gossip()
  gossip()
  t.equal(asked.length, limits.membershipQuestionsMax + 2, 'one ended for each')
})

t.test('after close nothing is asked and nothing heard', async (t) => {
  const { membership, asked, advance } = openAlone()
  advance(3_000)
  membership.close()
  const { length } = asked
  t.ok(length > 0)
  const [probe] = asked.filter(({ question }) => question.kind === questionKinds.ping)
  t.not(decodePing(probe?.question.body as Buffer).header.run, 0, 'though the run id is zeros')
  advance(10_000)
  membership.noteFailure(nodeId('n1'), 'SHOAL_PEER_LOST')
  t.equal(asked.length, length)
})
