import { createTestEnv, limits, millis, type NodeId, nodeId, seconds } from '@shoal/kernel'
import t from 'tap'
import { echo, Recorder } from '../src/contract/pair.ts'
import { createMemoryNetwork, type IncomingQuestion, type Peers } from '../src/index.ts'

const seed = Number(process.env.SHOAL_SEED ?? 7)
t.comment(`seed ${seed}`)

function openNetwork(ids: readonly string[], handler = echo, from = seed) {
  const env = createTestEnv({ seed: from })
  const network = createMemoryNetwork(env)
  const nodes = new Map<string, Peers>()
  const join = (id: string, answer: (question: IncomingQuestion) => void = handler) => {
    const peers = network.join({ self: nodeId(id), epoch: () => 1 })
    nodes.set(id, peers)
    peers.onQuestion(answer)
    void peers.start()
    return peers
  }
  for (const id of ids) join(id)
  env.advance(seconds(1))
  const of = (id: string) => nodes.get(id) as Peers
  return { env, network, join, of }
}

const [A, B] = [nodeId('ada'), nodeId('bob')] as [NodeId, NodeId]

t.test('TM1 the same seed gives the same run, another seed another', (t) => {
  const run = (from: number) => {
    const { env, network, of } = openNetwork(['ada', 'bob', 'cyd'], echo, from)
    network.setFaults({ delayMax: millis(50), loss: 0.1, duplicateQuestions: 0.2, reorder: 0.5 })
    const log: string[] = []
    const sink = {
      answered: (tag: number) => log.push(`${env.clock.elapsed()} answered ${tag}`),
      failed: (tag: number, code: string) => log.push(`${env.clock.elapsed()} ${code} ${tag}`),
    }
    for (let tag = 0; tag < 200; tag++) {
      const [asker, to] = tag % 2 ? ['ada', 'bob'] : ['cyd', 'ada']
      const question = { to: nodeId(to as string), kind: 1, timeout: seconds(1), tag }
      of(asker as string).ask({ ...question, body: Buffer.alloc(tag) }, sink)
      if (tag === 100) network.sever(A, B)
      env.advance(millis(7))
    }
    env.advance(seconds(5))
    return log
  }
  const first = run(seed)
  t.equal(first.length, 200)
  t.same(run(seed), first)
  t.notSame(run(seed + 1), first)
  t.end()
})

t.test('TM2 bodies are copied: neither side sees what the other does to its own', (t) => {
  const kept: Buffer[] = []
  const { env, of } = openNetwork(['ada', 'bob'], (question) => {
    kept.push(question.body)
    question.answer(1, question.body)
    question.body.fill('x')
  })
  const sink = new Recorder()
  const body = Buffer.from('original')
  sink.ask(of('ada'), B, { body })
  body.fill('y')
  env.advance(seconds(1))
  t.equal(`${sink.endings[0]?.body}`, 'original')
  t.equal(`${kept[0]}`, 'xxxxxxxx')
  t.end()
})

t.test('TM3 lost messages time out, doubled ones end a question once', (t) => {
  let heard = 0
  const { env, network, of } = openNetwork(['ada', 'bob'], (question) => {
    heard++
    echo(question)
  })
  const sink = new Recorder()
  network.setFaults({ loss: 1 }, A, B)
  sink.ask(of('ada'), B, { tag: 1, timeout: seconds(2) })
  env.advance(seconds(3))
  t.same(sink.codes, ['SHOAL_PEER_TIMEOUT'])
  network.setFaults({ loss: 0, duplicateQuestions: 1 }, A, B)
  network.setFaults({ duplicateAnswers: 1 }, B, A)
  sink.ask(of('ada'), B, { tag: 2 })
  env.advance(seconds(1))
  t.same([heard, sink.endings.length, sink.repeated], [2, 2, 0])
  t.end()
})

t.test('TM4 a cut is noticed by silence and healed; a short one only delays', (t) => {
  const { env, network, of } = openNetwork(['ada', 'bob'])
  const sink = new Recorder()
  network.cut(A, B)
  sink.ask(of('ada'), B, { tag: 1 })
  env.advance(seconds(2))
  t.same([of('ada').isUp(B), sink.endings.length], [true, 0])
  network.heal(A, B)
  env.advance(millis(10))
  t.same(sink.codes, [undefined], 'answered after the short cut')
  network.cut(B, A)
  sink.ask(of('ada'), B, { tag: 2, timeout: seconds(60) })
  env.advance(limits.peerSilenceMax)
  t.same([of('ada').isUp(B), of('bob').isUp(A)], [false, false], 'one direction is enough')
  t.equal(sink.codes.at(-1), 'SHOAL_PEER_LOST')
  env.advance(seconds(60))
  t.equal(of('ada').isUp(B), false)
  network.heal(B, A)
  env.advance(limits.peerReconnectMax)
  t.same([of('ada').isUp(B), of('bob').isUp(A)], [true, true])
  t.end()
})

t.test('TM4 a paused node is taken for dead after a while and comes back', (t) => {
  const { env, network, of } = openNetwork(['ada', 'bob', 'cyd'])
  network.pause(B)
  env.advance(millis(limits.peerSilenceMax + 1))
  t.same([of('ada').isUp(B), of('cyd').isUp(B)], [false, false])
  t.equal(of('ada').isUp(nodeId('cyd')), true, 'the others are not concerned')
  network.resume(B)
  env.advance(limits.peerReconnectMax)
  t.same([of('ada').isUp(B), of('cyd').isUp(B)], [true, true])
  t.end()
})

t.test('TM5 a crashed node is gone at once, calls nobody, and may join again', (t) => {
  const { env, network, join, of } = openNetwork(['ada', 'bob'], () => {})
  const [ofA, ofB] = [new Recorder(), new Recorder()]
  ofA.ask(of('ada'), B, { timeout: seconds(60) })
  ofB.ask(of('bob'), A, { timeout: seconds(60) })
  env.advance(millis(10))
  network.crash(B)
  env.advance(millis(0))
  t.equal(of('ada').isUp(B), false)
  env.advance(seconds(60))
  t.same(ofA.codes, ['SHOAL_PEER_LOST'])
  t.same(ofB.endings, [], 'the dead hear nothing')
  const again = join('bob', echo)
  env.advance(seconds(1))
  t.same([of('ada').isUp(B), again.isUp(A)], [true, true])
  const sink = new Recorder()
  sink.ask(of('ada'), B)
  env.advance(seconds(1))
  t.same(sink.codes, [undefined])
  t.end()
})

t.test('TM5 a machine without power is noticed by its silence, or when it is back', (t) => {
  const { env, network, join, of } = openNetwork(['ada', 'bob'])
  network.crash(B, { silently: true })
  env.advance(millis(limits.peerSilenceMax - 1))
  t.equal(of('ada').isUp(B), true, 'nobody has said anything')
  env.advance(millis(1))
  t.equal(of('ada').isUp(B), false)
  const second = join('bob')
  env.advance(seconds(1))
  t.same([of('ada').isUp(B), second.isUp(A)], [true, true])
  network.crash(B, { silently: true })
  const third = join('bob')
  const changes: boolean[] = []
  of('ada').onChange((_peer, up) => changes.push(up))
  env.advance(seconds(1))
  t.same(changes, [false, true], 'the new channel says that the old one is gone')
  env.advance(seconds(20))
  t.same([of('ada').isUp(B), third.isUp(A), changes.length], [true, true, 2], 'and stays')
  t.end()
})

t.test('TM6 an idle network has no timer running', (t) => {
  const { env, of } = openNetwork(['ada', 'bob'])
  const sink = new Recorder()
  sink.ask(of('ada'), B)
  env.advance(seconds(10))
  t.equal(sink.endings.length, 1)
  t.equal(env.pendingTimers, 0)
  t.end()
})
