import { createSeededRandom, limits, nodeId } from '@shoal/kernel'
import { frameTypes } from '@shoal/wire'
import t, { type Test } from 'tap'
import type { IncomingQuestion } from '../src/index.ts'
import {
  createNode,
  env,
  openPlace,
  type Place,
  type Setting,
  type TestNode,
  until,
} from './cluster.ts'
import { openRawPeer, upgradeSocket } from './raw-peer.ts'

const seed = Number(process.env.SHOAL_SEED ?? 20_071_014)
t.comment(`seed ${seed}`)

interface Scene {
  readonly n1: TestNode
  readonly place: Place
  /** n1 and n2 are up; n3 is a peer that n1 cannot reach and that we play. */
  undisturbed(): boolean
}

async function openScene(t: Test, setting: Setting = {}): Promise<Scene> {
  const places = [await openPlace('n1'), await openPlace('n2')] as const
  const n3 = { ...places[0], id: nodeId('n3'), url: 'http://127.0.0.1:9' }
  const n1 = createNode(places[0], [...places, n3], setting)
  const n2 = createNode(places[1], [...places, n3])
  t.teardown(() => Promise.all([n1.close(), n2.close()]))
  await Promise.all([n1.peers.start(), n2.peers.start()])
  const both = () => n1.peers.isUp(nodeId('n2')) && n2.peers.isUp(nodeId('n1'))
  await until(both, 'n1 and n2 are up')
  const downs = () =>
    [...n1.events, ...n2.events].filter(
      (event) => event.kind === 'peer-down' && event.peer !== 'n3',
    )
  return { n1, place: places[0], undisturbed: () => both() && downs().length === 0 }
}

const downOf = (node: TestNode) =>
  node.events.findLast((event) => event.kind === 'peer-down' && event.peer === 'n3')

const foreign: [string, Buffer, RegExp][] = [
  ['HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n'), /malformed: a frame of \d+ bytes where/],
  ['an oversized frame', Buffer.from('ffffffff0100', 'hex'), /malformed: a frame of 4294967295/],
  ['a frame without header', Buffer.from('0000000100', 'hex'), /malformed: .* shorter than/],
  [
    'an unknown type',
    Buffer.from('00000006990000000001', 'hex'),
    /malformed: unknown frame type 153/,
  ],
  ['a short question', Buffer.from('00000006010000000001', 'hex'), /malformed: a question without/],
  ['a second opening', Buffer.from('00000006100000000001', 'hex'), /malformed: frame type 16/],
]

for (const [name, bytes, reason] of foreign) {
  t.test(`TC1 ${name} closes the channel with a reason and hurts nobody else`, async (t) => {
    const scene = await openScene(t)
    const peer = await openRawPeer(scene.place, { node: 'n3' })
    await until(() => scene.n1.peers.isUp(nodeId('n3')), 'n3 is up')
    let closed = false
    peer.socket.on('close', () => {
      closed = true
    })
    peer.socket.write(bytes)
    await until(() => closed, 'the channel is closed')
    t.match(downOf(scene.n1), { reason })
    t.match(Buffer.concat(peer.received).toString('latin1'), /malformed/, 'n3 is told')
    t.ok(scene.undisturbed())
    const again = await openRawPeer(scene.place, { node: 'n3' })
    await until(() => scene.n1.peers.isUp(nodeId('n3')), 'n3 may come back')
    again.socket.destroy()
  })
}

t.test('TC1 a channel that ends inside a frame is lost, and nothing more', async (t) => {
  const heard: IncomingQuestion[] = []
  const scene = await openScene(t, { handler: (question) => heard.push(question) })
  const peer = await openRawPeer(scene.place, { node: 'n3' })
  await until(() => scene.n1.peers.isUp(nodeId('n3')), 'n3 is up')
  peer.send((writer) => writer.question(1, 1, 1, 1_000, Buffer.from('whole')))
  peer.socket.end(Buffer.from('00001000010000', 'hex'))
  await until(() => downOf(scene.n1) !== undefined, 'the channel is lost')
  t.equal(heard.length, 1)
  heard[0]?.answer(1, Buffer.from('nobody hears this'))
  t.ok(scene.undisturbed())
})

t.test('TC1 answers to questions never asked are dropped', async (t) => {
  const scene = await openScene(t)
  const peer = await openRawPeer(scene.place, { node: 'n3' })
  await until(() => scene.n1.peers.isUp(nodeId('n3')), 'n3 is up')
  peer.send((writer) => {
    for (const id of [0, 1, 7, 0xffffffff]) {
      writer.frame(frameTypes.answer, 1, id, Buffer.from('what?'))
      writer.frame(frameTypes.answerMore, 1, id)
      writer.frame(frameTypes.refusal, 1, id)
    }
    writer.frame(frameTypes.pong, 0, 99)
    writer.question(1, 5, 1, 1_000, Buffer.from('still there?'))
  })
  await until(() => Buffer.concat(peer.received).includes('still there?'), 'the channel works')
  t.equal(downOf(scene.n1), undefined)
  peer.socket.destroy()
})

t.test('TX3 questions beyond the window are refused, not handled', async (t) => {
  let handled = 0
  const scene = await openScene(t, { handler: () => handled++ })
  const peer = await openRawPeer(scene.place, { node: 'n3' })
  await until(() => scene.n1.peers.isUp(nodeId('n3')), 'n3 is up')
  const count = limits.peerRequestsInFlightMax
  peer.send((writer) => {
    for (let id = 1; id <= count + 2; id++) writer.question(1, id, 1, 60_000, Buffer.alloc(0))
  })
  const refusals = () =>
    Buffer.concat(peer.received)
      .toString('hex')
      .match(/000000060401[0-9a-f]{8}/g) ?? []
  await until(() => refusals().length === 2, 'two are refused')
  t.equal(handled, count)
  t.ok(scene.undisturbed())
  peer.socket.destroy()
})

t.test('TC2 a peer that does not read its answers is refused, then closed', async (t) => {
  const body = Buffer.alloc(1_000_000)
  const many = Math.ceil(limits.peerOutputBytesMax / body.length)
  const handler = (question: IncomingQuestion) => {
    const parts = question.kind === 2 ? many : 0
    for (let part = 0; part < parts; part++) question.answer(1, body, true)
    question.answer(1, body)
  }
  const scene = await openScene(t, { handler })
  const peer = await openRawPeer(scene.place, { node: 'n3' })
  await until(() => scene.n1.peers.isUp(nodeId('n3')), 'n3 is up')
  peer.socket.pause()
  // It reads nothing, but it lives: without this the silence would close the channel first.
  const alive = setInterval(() => peer.send((writer) => writer.frame(frameTypes.ping, 0, 1)), 500)
  t.teardown(() => clearInterval(alive))
  const queued = () => scene.n1.peers.status()[1]?.bytesQueued ?? 0
  peer.send((writer) => {
    for (let id = 1; id <= many; id++) writer.question(1, id, 1, 60_000, Buffer.alloc(0))
  })
  await until(() => queued() > limits.peerBytesInFlightMax, 'answers wait')
  t.ok(queued() < limits.peerBytesInFlightMax + 2 * body.length, 'and no more are made')
  t.ok(scene.n1.peers.isUp(nodeId('n3')), 'questions are refused meanwhile')
  const busy = Buffer.from('000000060401', 'hex')
  peer.socket.removeAllListeners('data')
  let refused = false
  peer.socket.on('data', (chunk: Buffer) => {
    refused ||= chunk.includes(busy)
  })
  peer.socket.resume()
  await until(() => refused && queued() === 0, 'they are told so', 30_000)
  peer.socket.pause()
  peer.send((writer) => writer.question(2, 1, 1, 60_000, Buffer.alloc(0)))
  await until(() => downOf(scene.n1) !== undefined, 'too much closes the channel')
  t.match(downOf(scene.n1), { reason: /^\d+ bytes wait and are not read$/ })
  t.ok(scene.undisturbed())
  peer.socket.destroy()
})

t.test('TC4 what is not an upgrade to shoal-peer is answered in HTTP', async (t) => {
  const scene = await openScene(t)
  const other = await upgradeSocket(scene.place, 'websocket')
  t.match(other.answer, /^HTTP\/1.1 426 Upgrade Required\r\nUpgrade: shoal-peer\/1\r\n/)
  const places = [await openPlace('n8')] as const
  const waiting = createNode(places[0], places)
  t.teardown(() => waiting.close())
  const early = await upgradeSocket(places[0])
  t.match(early.answer, /^HTTP\/1.1 503 /, 'before the node has started')
})

t.test('TC5 strangers who only connect do not keep peers out', async (t) => {
  const scene = await openScene(t)
  const strangers = []
  for (let index = 0; index < limits.peerHandshakesMax + 20; index++) {
    const { socket } = await upgradeSocket(scene.place)
    strangers.push(socket)
  }
  const closed = strangers.filter((socket) => socket.readableEnded || socket.destroyed)
  t.comment(`${closed.length} were closed again`)
  const peer = await openRawPeer(scene.place, { node: 'n3' })
  t.equal(peer.refusal, undefined)
  await until(() => scene.n1.peers.isUp(nodeId('n3')), 'a peer comes through')
  t.ok(scene.undisturbed())
  for (const socket of [...strangers, peer.socket]) socket.destroy()
})

t.test('TC5 a stranger that says nothing is cut off', async (t) => {
  const scene = await openScene(t)
  const { socket } = await upgradeSocket(scene.place)
  let closed = false
  socket.on('close', () => {
    closed = true
  })
  socket.resume()
  const begun = env.clock.elapsed()
  await until(() => closed, 'it is cut off')
  const took = env.clock.elapsed() - begun
  t.ok(took < limits.peerHandshake + 1_500, `${took} ms`)
})

t.test('TC1 whatever strangers send instead of an opening, nobody is hurt', async (t) => {
  const scene = await openScene(t)
  const random = createSeededRandom(`${seed}`)
  const sockets = []
  for (let index = 0; index < 200; index++) {
    const { socket } = await upgradeSocket(scene.place)
    const bytes = Buffer.from(random.bytes(1 + random.below(600)))
    // Half of them begin with an acceptable length.
    if (index % 2 === 0 && bytes.length > 5) bytes.writeUInt32BE(bytes.length - 4)
    if (index % 4 === 0 && bytes.length > 5) bytes[4] = 16 + (index % 5)
    socket.write(bytes)
    sockets.push(socket)
  }
  const peer = await openRawPeer(scene.place, { node: 'n3' })
  await until(() => scene.n1.peers.isUp(nodeId('n3')), 'a peer comes through')
  t.ok(scene.undisturbed())
  t.same(scene.n1.fatal, [])
  const told = scene.n1.events.filter(({ kind }) => kind === 'refused')
  t.ok(told.length > 0 && told.length <= 30, `${told.length} events: logs cannot be flooded`)
  for (const socket of [...sockets, peer.socket]) socket.destroy()
})
