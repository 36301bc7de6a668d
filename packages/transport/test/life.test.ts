import { limits, type Millis, millis, nodeId, seconds } from '@shoal/kernel'
import t from 'tap'
import { Recorder } from '../src/contract/pair.ts'
import {
  createNode,
  env,
  openPlace,
  type Place,
  type Setting,
  type TestNode,
  until,
} from './cluster.ts'
import { openProxy } from './proxy.ts'

const isUp = (node: TestNode, peer: string) => node.peers.isUp(nodeId(peer))
const downsOf = (node: TestNode) => node.events.filter(({ kind }) => kind === 'peer-down')

async function startAll(places: readonly Place[]): Promise<TestNode[]> {
  const nodes = places.map((place) => createNode(place, places))
  await Promise.all(nodes.map(({ peers }) => peers.start()))
  return nodes
}

t.test('TL1 nodes that start at once have one channel for each pair', async (t) => {
  for (let round = 0; round < 5; round++) {
    const places = await Promise.all(['n1', 'n2', 'n3', 'n4'].map((id) => openPlace(id)))
    const nodes = await startAll(places)
    const pairs = nodes.flatMap((node) =>
      places
        .filter(({ id }) => id !== node.place.id)
        .map(
          ({ id }) =>
            () =>
              isUp(node, id),
        ),
    )
    await until(() => pairs.every((up) => up()), 'all are up')
    const open = () => places.reduce((sum, { sockets }) => sum + sockets.size, 0)
    await until(() => open() === 6, 'no other connection is left')
    t.same(nodes.flatMap(downsOf), [], 'and none went down on the way')
    await Promise.all(nodes.map((node) => node.close()))
  }
})

t.test('TL2 two nodes meet though only one can reach the other', async (t) => {
  const places = [await openPlace('n1'), await openPlace('n2')] as const
  const nowhere = { ...places[1], url: 'http://127.0.0.1:9' }
  const n1 = createNode(places[0], [places[0], nowhere])
  const n2 = createNode(places[1], places)
  t.teardown(() => Promise.all([n1.close(), n2.close()]))
  await n1.peers.start()
  await until(() => n1.events.length > 0, 'n1 cannot reach n2')
  t.match(n1.events, [{ kind: 'dial-failed', peer: 'n2', reason: /refused/ }])
  await n2.peers.start()
  await until(() => isUp(n1, 'n2') && isUp(n2, 'n1'), 'n2 reaches n1')
})

t.test('TX4 a peer that does not say that it takes traces is asked without them', async (t) => {
  const places = [await openPlace('n1'), await openPlace('n2')] as const
  const heard: string[] = []
  const handler: Setting['handler'] = (question) => {
    heard.push(`${question.from} ${question.trace}`)
    question.answer(1, question.body)
  }
  const n1 = createNode(places[0], places, { handler })
  const n2 = createNode(places[1], places, { handler, features: [] })
  t.teardown(() => Promise.all([n1.close(), n2.close()]))
  await Promise.all([n1.peers.start(), n2.peers.start()])
  await until(() => isUp(n1, 'n2') && isUp(n2, 'n1'), 'both are up')
  const sink = new Recorder()
  const trace = Buffer.from('trace')
  sink.ask(n1.peers, nodeId('n2'), { tag: 1, trace })
  sink.ask(n2.peers, nodeId('n1'), { tag: 2, trace })
  await until(() => sink.endings.length === 2, 'both are answered')
  t.same(heard.sort(), ['n1 undefined', 'n2 trace'])
})

t.test('TL5 a peer that comes back is met at once, however long it was away', async (t) => {
  const places = [await openPlace('n1'), await openPlace('n2')] as const
  const [n1, n2] = (await startAll(places)) as [TestNode, TestNode]
  t.teardown(() => n1.close())
  await until(() => isUp(n1, 'n2') && isUp(n2, 'n1'), 'both are up')
  await n2.close()
  await until(() => !isUp(n1, 'n2'), 'n2 is gone')
  const attempts = () => n1.peers.status()[0]?.reason === 'connection refused'
  await until(attempts, 'n1 has tried in vain')
  // Long enough for the longest back-off.
  const waitUntil = env.clock.elapsed() + limits.peerReconnectMax
  await until(() => env.clock.elapsed() > waitUntil, 'n1 has waited')
  const again = await openPlace('n2', Number(new URL(places[1].url).port))
  const back = createNode(again, places)
  t.teardown(() => back.close())
  const begun = env.clock.elapsed()
  await back.peers.start()
  await until(() => isUp(n1, 'n2') && isUp(back, 'n1'), 'n2 is back')
  const took = env.clock.elapsed() - begun
  t.ok(took < 1_000, `${took} ms`)
})

t.test('TC3 a cable that is cut is noticed within four seconds, and mended', async (t) => {
  const places = [await openPlace('n1'), await openPlace('n2')] as const
  const [there, back] = [await openProxy(places[1].url), await openProxy(places[0].url)]
  const hold = (held: boolean) => {
    there.hold(held)
    back.hold(held)
  }
  const n1 = createNode(places[0], [places[0], { ...places[1], url: there.url }])
  const n2 = createNode(places[1], [{ ...places[0], url: back.url }, places[1]], {
    handler: () => {},
  })
  t.teardown(async () => {
    await Promise.all([n1.close(), n2.close()])
    await Promise.all([there.close(), back.close()])
  })
  await Promise.all([n1.peers.start(), n2.peers.start()])
  await until(() => isUp(n1, 'n2') && isUp(n2, 'n1'), 'both are up')
  const sink = new Recorder()
  sink.ask(n1.peers, nodeId('n2'), { timeout: seconds(30) })
  hold(true)
  const cutAt = env.clock.elapsed()
  await until(() => !isUp(n1, 'n2') && !isUp(n2, 'n1'), 'both notice')
  const took = env.clock.elapsed() - cutAt
  t.ok(took > 3_000 && took < 4_200, `${took} ms`)
  t.same(sink.codes, ['SHOAL_PEER_LOST'])
  t.match(n1.events.at(-1), { kind: 'peer-down', reason: 'silent for 4000 ms' })
  const late = new Recorder()
  late.ask(n1.peers, nodeId('n2'), { timeout: seconds(30) })
  await until(() => late.endings.length === 1, 'and ask no more')
  t.same(late.codes, ['SHOAL_PEER_UNREACHABLE'])
  hold(false)
  await until(() => isUp(n1, 'n2') && isUp(n2, 'n1'), 'it is mended')
})

t.test('TL4 a node that died without a word gives its id to the next run', async (t) => {
  const places = [await openPlace('n1'), await openPlace('n2')] as const
  const [there, back] = [await openProxy(places[1].url), await openProxy(places[0].url)]
  const n2 = createNode(places[1], [{ ...places[0], url: back.url }, places[1]])
  const dead = createNode(places[0], [places[0], { ...places[1], url: there.url }])
  const next = createNode(await openPlace('n1'), places)
  t.teardown(async () => {
    await Promise.all([n2.close(), dead.close(), next.close()])
    await Promise.all([there.close(), back.close()])
  })
  await Promise.all([n2.peers.start(), dead.peers.start()])
  await until(() => isUp(n2, 'n1') && isUp(dead, 'n2'), 'the first run is up')
  there.hold(true)
  back.hold(true)
  const begun = env.clock.elapsed()
  await next.peers.start()
  await until(() => isUp(next, 'n2'), 'the next run is up')
  const took = env.clock.elapsed() - begun
  t.ok(took >= limits.peerContest && took < limits.peerHandshake, `${took} ms`)
  t.same(next.fatal, [])
  t.match(downsOf(n2), [{ reason: 'it does not answer and another run of the node does' }])
})

t.test('TL6 a stopped node leaves no timer and no socket behind', async (t) => {
  const places = [await openPlace('n1'), await openPlace('n2')]
  const nodes = await startAll(places)
  await until(() => nodes.every(({ peers }) => peers.status()[0]?.up), 'both are up')
  await Promise.all(nodes.map(({ peers }) => peers.stop((env.clock.elapsed() + 500) as Millis)))
  await until(() => places.every(({ sockets }) => sockets.size === 0), 'no socket is left')
  await Promise.all(places.map((place) => place.close()))
  t.same(
    nodes.map(({ peers }) => peers.status()[0]),
    nodes.map((_, index) => ({
      peer: `n${2 - index}`,
      up: false,
      reason: 'this node is stopping',
      roundTripMs: undefined,
      inFlight: 0,
      bytesQueued: 0,
    })),
  )
  t.same(await nodes[0]?.peers.stop(millis(0)), undefined, 'a second stop does nothing')
})
