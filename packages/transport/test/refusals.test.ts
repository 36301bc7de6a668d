import { nodeId } from '@shoal/kernel'
import { encodeOpen, encodeRefused, FrameWriter, frameTypes } from '@shoal/wire'
import t, { type Test } from 'tap'
import { createNode, openPlace, type Place, type Setting, type TestNode, until } from './cluster.ts'
import { openRawPeer } from './raw-peer.ts'

async function startAll(
  t: Test,
  settings: Readonly<Record<string, Setting>>,
): Promise<{ nodes: Record<string, TestNode>; places: Place[] }> {
  const places = await Promise.all(Object.keys(settings).map((id) => openPlace(id)))
  const nodes: Record<string, TestNode> = {}
  for (const place of places) {
    const node = createNode(place, places, settings[place.id])
    nodes[place.id] = node
    t.teardown(() => node.close())
    await node.peers.start()
  }
  return { nodes, places }
}

const isUp = (node: TestNode | undefined, peer: string) => node?.peers.isUp(nodeId(peer)) === true

t.test('TV1 of three nodes, the one with another secret stops and says why', async (t) => {
  const { nodes } = await startAll(t, { n1: {}, n2: {}, n3: { secret: 'another' } })
  const { n1, n2, n3 } = nodes
  await until(() => n3?.fatal.length === 1, 'n3 stops')
  await until(() => isUp(n1, 'n2') && isUp(n2, 'n1'), 'the others agree')
  const [error] = n3?.fatal ?? []
  t.equal(error?.code, 'SHOAL_SECRET_WRONG')
  t.match(error?.message, /n3 is refused by n1, n2: the cluster secret of n3 is not that of n[12]/)
  t.same([n1?.fatal, n2?.fatal], [[], []])
  t.match(
    n1?.events.filter(({ kind }) => kind === 'refused'),
    [{ peer: 'n3', code: 'SHOAL_SECRET_WRONG' }],
    'the others know it in words',
  )
})

t.test('TV3 of two nodes, the newcomer with another secret stops', async (t) => {
  const { nodes } = await startAll(t, { n1: {}, n2: { secret: 'another' } })
  const { n1, n2 } = nodes
  await until(() => n2?.fatal.length === 1, 'n2 stops')
  t.match(n2?.fatal, [{ code: 'SHOAL_SECRET_WRONG', message: /n2 is refused by n1/ }])
  await until(() => n1?.peers.status()[0]?.reason?.includes('secret') === true, 'n1 shows it')
  t.same(n1?.fatal, [])
})

t.test(
  'TH3 another ring configuration stops the newcomer, with the difference named',
  async (t) => {
    const ring = (members: string) => ({
      epoch: () => 1,
      summary: Buffer.from(members),
      compare: (theirs: Buffer) => [`members: ${theirs} there, ${members} here`],
    })
    const { nodes } = await startAll(t, {
      n1: { ring: ring('n1 n2') },
      n2: { ring: ring('n1 n2 n4') },
    })
    await until(() => nodes.n2?.fatal.length === 1, 'n2 stops')
    t.match(nodes.n2?.fatal, [
      {
        code: 'SHOAL_RING_MISMATCH',
        message: 'n2 is refused by n1: members: n1 n2 there, n1 n2 n4 here',
      },
    ])
    t.same(nodes.n1?.fatal, [])
  },
)

t.test('TH4 no common version stops the newcomer', async (t) => {
  const { nodes } = await startAll(t, { n1: { versions: [1] }, n2: { versions: [2] } })
  await until(() => nodes.n2?.fatal.length === 1, 'n2 stops')
  t.match(nodes.n2?.fatal, [
    { code: 'SHOAL_VERSION_UNSUPPORTED', message: /n2 speaks peer protocol 2, n1 speaks 1/ },
  ])
})

t.test('TL4 a second node with the same id stops, the running one is not disturbed', async (t) => {
  const { nodes, places } = await startAll(t, { n1: {}, n2: {}, n3: {} })
  const { n1, n2, n3 } = nodes
  await until(() => isUp(n2, 'n1') && isUp(n3, 'n1') && isUp(n1, 'n2') && isUp(n1, 'n3'), 'all up')
  const twin = createNode(await openPlace('n1'), places)
  t.teardown(() => twin.close())
  await twin.peers.start()
  await until(() => twin.fatal.length === 1, 'the second n1 stops')
  t.match(twin.fatal, [{ code: 'SHOAL_NODE_ID_TAKEN' }])
  t.ok(isUp(n2, 'n1') && isUp(n3, 'n1') && isUp(n1, 'n2') && isUp(n1, 'n3'))
  const downs = [n1, n2, n3].flatMap((node) =>
    node?.events.filter(({ kind }) => kind === 'peer-down'),
  )
  t.same(downs, [])
  t.same([n1?.fatal, n2?.fatal, n3?.fatal], [[], [], []])
})

t.test('TV4 strangers who dial cannot stop a node, whatever they say', async (t) => {
  const { nodes, places } = await startAll(t, { n1: {}, n2: {} })
  const [place] = places
  for (const node of ['n2', 'n1', 'n3']) {
    const stranger = await openRawPeer(place as Place, { node, secret: 'guess', uptime: 1e12 })
    t.equal(stranger.refusal?.code, 'SHOAL_SECRET_WRONG', node)
    stranger.socket.destroy()
  }
  await until(() => isUp(nodes.n1, 'n2') && isUp(nodes.n2, 'n1'), 'the two agree')
  t.same([nodes.n1?.fatal, nodes.n2?.fatal], [[], []])
})

t.test(
  'TV2 an impostor at the address of a peer cannot stop a node that has another',
  async (t) => {
    const places = await Promise.all(['n1', 'n2', 'n3'].map((id) => openPlace(id)))
    const impostor = places[2] as Place
    let asked = 0
    impostor.server.on('upgrade', (_request, socket) => {
      asked++
      socket.on('error', () => {})
      socket.write('HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: shoal-peer/1\r\n\r\n')
      const nonce = Buffer.alloc(32)
      const writer = new FrameWriter()
      const open = encodeOpen({ versions: [1], node: 'n3', nonce, uptime: 1e12 })
      const body = encodeRefused({ code: 'SHOAL_NODE_ID_TAKEN', words: 'go away' }, 500)
      writer.frame(frameTypes.open, 0, 0, open)
      writer.frame(frameTypes.refused, 0, 0, asked % 2 ? body : refusedSecret)
      for (const piece of writer.pieces()) socket.write(piece)
    })
    t.teardown(() => impostor.close())
    const nodes = places.slice(0, 2).map((place) => createNode(place, places))
    for (const node of nodes) {
      t.teardown(() => node.close())
      await node.peers.start()
    }
    await until(() => isUp(nodes[0], 'n2') && isUp(nodes[1], 'n1'), 'the two agree')
    await until(() => asked >= 8, 'the impostor has spoken often')
    t.same(
      nodes.map(({ fatal }) => fatal),
      [[], []],
    )
  },
)
const refusedSecret = encodeRefused({ code: 'SHOAL_SECRET_WRONG', words: 'wrong' }, 500)
