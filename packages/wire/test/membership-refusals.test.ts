import { InvariantViolation, limits, nodeId } from '@shoal/kernel'
import t from 'tap'
import {
  ByteWriter,
  decodeGossip,
  decodeGossipSync,
  decodePing,
  decodePingRequest,
  encodePing,
  type MemberUpdate,
} from '../src/index.ts'

const header = { incarnation: 1, run: 2, ring: { epoch: 3, digest: '00'.repeat(8) } }
const malformed = { code: 'SHOAL_FRAME_INVALID' }
const node = (index: number) => nodeId(`n${index}`)
const alive: MemberUpdate = {
  node: nodeId('a'),
  state: 'alive',
  incarnation: 1,
  run: 1,
  witnesses: [],
}

t.test('WM2: an update that means nothing does not leave', async (t) => {
  const faults: Partial<MemberUpdate>[] = [
    { node: nodeId('') },
    { node: nodeId('a b') },
    { node: nodeId('a'.repeat(limits.nodeIdCharsMax + 1)) },
    { incarnation: -1 },
    { incarnation: 0.5 },
    { incarnation: 2 ** 53 },
    { run: 2 ** 32 },
    { witnesses: [node(1)] },
    { state: 'suspect' },
    { state: 'suspect', witnesses: [node(1), node(1)] },
    { state: 'suspect', witnesses: [0, 1, 2, 3, 4].map(node) },
  ]
  for (const fault of faults) {
    const updates = [{ ...alive, ...fault }]
    t.throws(() => encodePing({ header, updates }), InvariantViolation, JSON.stringify(fault))
  }
  const ring = { epoch: 1, digest: 'xyz' }
  t.throws(() => encodePing({ header: { ...header, ring }, updates: [] }), InvariantViolation)
})

t.test(
  'WM2: a message holds a bounded number of updates, and then has a bounded size',
  async (t) => {
    const name = (index: number) => nodeId(`${index}`.padEnd(limits.nodeIdCharsMax, 'x'))
    const updates = (count: number): MemberUpdate[] =>
      Array.from({ length: count }, (_, index) => ({
        node: name(index),
        state: 'suspect',
        incarnation: Number.MAX_SAFE_INTEGER,
        run: 2 ** 32 - 1,
        witnesses: Array.from({ length: limits.suspicionWitnessesMax }, (_, each) => name(each)),
      }))
    const { gossipUpdatesMax } = limits
    const body = encodePing({ header, updates: updates(gossipUpdatesMax) })
    t.same(decodePing(body).updates, updates(gossipUpdatesMax))
    t.ok(body.length < 24_000, `the largest has ${body.length} bytes`)
    t.throws(
      () => encodePing({ header, updates: updates(gossipUpdatesMax + 1) }),
      InvariantViolation,
    )
  },
)

/** As a node would write it that checks nothing. */
const head = (): ByteWriter =>
  new ByteWriter().raw(encodePing({ header, updates: [] }).subarray(0, 24))

t.test('WM3: updates that no encoder writes are refused', async (t) => {
  const update = (parts: { id?: string; state?: number; high?: number; witnesses?: string[] }) => {
    const { id = 'a', state = 0, high = 0, witnesses = [] } = parts
    const writer = head().u32(1).text(id).u8(state).u32(high).u32(0).u32(0)
    return writer.list(witnesses, (witness) => writer.text(witness)).finish()
  }
  t.same(decodePing(update({})).updates, [{ ...alive, incarnation: 0, run: 0 }])
  const faults = [
    update({ id: '' }),
    update({ id: 'a/b' }),
    update({ id: 'a'.repeat(65) }),
    update({ state: 4 }),
    update({ high: 2 ** 21 }),
    update({ witnesses: ['b'] }),
    update({ state: 1 }),
    update({ state: 1, witnesses: ['b', 'b'] }),
    update({ state: 1, witnesses: ['b', 'c', 'd', 'e', 'f'] }),
    update({ state: 1, witnesses: [''] }),
    update({ state: 2, witnesses: ['b'] }),
  ]
  for (const body of faults) t.throws(() => decodePing(body), malformed, body.toString('latin1'))
})

t.test('WM3: more updates than a message holds, and kinds of no table, are refused', async (t) => {
  const one = Buffer.from(encodePing({ header, updates: [alive] }).subarray(28))
  const many = head().u32(limits.gossipUpdatesMax + 1)
  for (let index = 0; index <= limits.gossipUpdatesMax; index++) many.raw(one)
  t.throws(() => decodePing(many.finish()), malformed)
  t.throws(() => decodeGossipSync(head().u8(3).u32(0).finish()), malformed)
  t.throws(() => decodeGossip(head().u8(3).u32(0).finish()), malformed)
  t.throws(() => decodePingRequest(head().text('a b').u32(1).u32(0).finish()), malformed)
})
