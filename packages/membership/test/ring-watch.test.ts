import { InvariantViolation, nodeId } from '@shoal/kernel'
import t from 'tap'
import { member, members, only, Rig, ring } from './support/rig.ts'

const n1 = nodeId('n1')
const newer = { epoch: 2, digest: 'aaaaaaaaaaaaaaaa' }

const pinged = (rig: Rig, from: number, theirs: object) =>
  rig.step({
    kind: 'pinged',
    from: nodeId(`n${from}`),
    header: rig.header(from, { ring: theirs as never }),
  })

t.test('G11: a newer ring is fetched, from one node at a time', async (t) => {
  const rig = new Rig({})
  t.match(only(pinged(rig, 1, newer), 'fetchRing'), [{ from: 'n1', ring: newer }])
  t.same(only(pinged(rig, 2, newer), 'fetchRing'), [])
  rig.step({ kind: 'ringFetched', from: n1 })
  t.same(only(pinged(rig, 2, newer), 'fetchRing'), [], 'whoever takes it has a moment to do so')
  rig.advanceAnswered(1_001)
  t.match(only(pinged(rig, 3, newer), 'fetchRing'), [{ from: 'n3' }], 'it was not taken: again')
  rig.advanceAnswered(2_001)
  t.match(only(pinged(rig, 4, newer), 'fetchRing'), [{ from: 'n4' }], 'no answer: again')
})

t.test('G11: an older ring is of no interest, and the same is the same', async (t) => {
  const rig = new Rig({})
  t.same(
    pinged(rig, 1, { epoch: 0, digest: 'bbbbbbbbbbbbbbbb' }).map(({ kind }) => kind),
    ['answerPong'],
  )
  t.same(
    pinged(rig, 1, ring).map(({ kind }) => kind),
    ['answerPong'],
  )
})

t.test('G11: another ring of the same epoch is told once, and not touched (I9)', async (t) => {
  const rig = new Rig({})
  const other = { epoch: 1, digest: 'bbbbbbbbbbbbbbbb' }
  t.match(only(pinged(rig, 1, other), 'ringDisputed'), [{ by: 'n1', theirs: other }])
  t.same(only(pinged(rig, 1, other), 'ringDisputed'), [])
  t.equal(only(pinged(rig, 2, other), 'ringDisputed').length, 1, 'once for each peer')
  t.same(rig.state.ring, ring)
})

t.test('G11: epochs never go back, and have one content', async (t) => {
  const rig = new Rig({})
  const change = (stamp: object) =>
    rig.step({ kind: 'ringChanged', ring: stamp, members: members(10) })
  change(ring)
  t.throws(() => change({ ...ring, digest: newer.digest }), InvariantViolation)
  change(newer)
  t.throws(() => change(ring), InvariantViolation)
})

t.test('a fetch for a ring that has come hinders no fetch of the next', async (t) => {
  const rig = new Rig({})
  pinged(rig, 1, newer)
  rig.step({ kind: 'ringChanged', ring: newer, members: members(10) })
  rig.step({ kind: 'ringFetched', from: n1 })
  const third = { epoch: 3, digest: 'cccccccccccccccc' }
  t.match(only(pinged(rig, 2, third), 'fetchRing'), [{ from: 'n2', ring: third }])
})

t.test('another ring is told to others even where there is nothing else to tell', async (t) => {
  const rig = new Rig({})
  t.same(only(rig.advanceAnswered(5_000), 'gossip'), [], 'idle rounds are left out')
  rig.step({ kind: 'ringChanged', ring: newer, members: members(10) })
  const told = only(rig.advanceAnswered(5_000), 'gossip')
  t.ok(told.length >= 16 && told.length <= 18, `${told.length} times`)
})

t.test('members come and go with the ring, and nobody remembers who went', async (t) => {
  const rig = new Rig({ nodes: 4 })
  rig.say(1, 'suspect', { from: 2 })
  rig.say(2, 'dead', { from: 3 })
  rig.step({ kind: 'requestFailed', peer: n1 })
  rig.step({ kind: 'ringChanged', ring: newer, members: [member(0), member(3), member(7)] })
  t.same([...rig.state.peers.keys()].sort(), ['n3', 'n7'])
  t.equal(rig.peer(7).shown, 'suspect')
  const { gone, suspects, probes, rumours, urgent, unheard } = rig.state
  t.same(
    [gone.size, suspects.size, probes.size, rumours.size, urgent.size, unheard.size],
    [...[0, 0, 0, 0, 0, 1]],
  )
  const asked = new Set(only(rig.advance(10_000), 'ping').map(({ to }) => to))
  t.same([...asked].sort(), ['n3', 'n7'])
})

t.test('a member that moved to another zone is a relay of that zone', async (t) => {
  const rig = new Rig({ nodes: 4 })
  const moved = { ...member(1), zone: 'elsewhere', host: 'h' }
  rig.step({
    kind: 'ringChanged',
    ring: newer,
    members: [member(0), moved, member(2), member(3)],
  })
  t.match(rig.peer(1), { zone: 'elsewhere', host: 'h', shown: 'alive' })
})
