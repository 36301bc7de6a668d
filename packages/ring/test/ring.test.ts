import assert from 'node:assert/strict'
import { limits, nodeId, type Partition, partition } from '@shoal/kernel'
import fc from 'fast-check'
import t from 'tap'
import { createRing, foundRing, type Ring, type TableMember } from '../src/index.ts'
import { anyMembers } from './support/arbitraries.ts'
import { peakOf } from './support/fallback-peak.ts'
import { hostOf } from './support/judge.ts'
import { cluster } from './support/scenarios.ts'

const seed = 20_071_014
const ringOf = (members: readonly TableMember[], partitions = 64, replicas = 3): Ring => {
  const settings = members.map((member, at) => ({ ...member, url: `http://h${at}.test` }))
  const record = foundRing({ secretDigest: 'x', members: settings, partitions, replicas })
  return createRing(record, record.members[0]!.id)
}
const partitionsOfRing = (ring: Ring): Partition[] =>
  Array.from({ length: ring.partitions }, (_, index) => partition(index))
const stranger = nodeId('stranger')

t.test('R15: the lists are those of the record, and the same array each time', async (t) => {
  const ring = ringOf(cluster(5))
  for (const p of partitionsOfRing(ring)) {
    const list = ring.preferenceList(p)
    const expected = ring.record.table[p]!.map((index) => ring.record.members[index]!.id)
    assert.deepEqual(list, expected)
    assert.equal(ring.preferenceList(p), list)
    for (const { id } of ring.record.members) {
      assert.equal(ring.replicaIndex(p, id), expected.indexOf(id))
      assert.equal(ring.isReplica(p, id), expected.includes(id))
      assert.equal(ring.partitionsOf(id).includes(p), expected.includes(id))
    }
  }
  t.equal(ring.partitionsOf(ring.self), ring.partitionsOf(ring.self))
  t.match(ring, { epoch: 1, partitions: 64, copies: 3, self: 'n0' })
})

t.test('a stranger holds nothing', async (t) => {
  const ring = ringOf(cluster(3))
  t.equal(ring.isReplica(partition(0), stranger), false)
  t.equal(ring.replicaIndex(partition(0), stranger), -1)
  t.same(ring.partitionsOf(stranger), [])
  t.equal(ring.member(stranger), undefined)
  t.equal(ring.member(ring.self)?.url, 'http://h0.test')
})

t.test('only a member looks at a ring, and only at partitions it has', async (t) => {
  const ring = ringOf(cluster(3))
  t.throws(() => createRing(ring.record, stranger), { code: 'SHOAL_CONFIG_INVALID' })
  t.throws(() => ring.preferenceList(partition(64)), /one of the ring/)
  t.throws(() => ring.fallbacks(partition(-1), []), /one of the ring/)
})

t.test('fewer members than replicas hold everything, and nobody can stand in', async (t) => {
  const ring = ringOf(cluster(2))
  t.equal(ring.copies, 2)
  t.same(ring.fallbacks(partition(0), [ring.self]), [])
})

t.test('R16: fallbacks are living strangers to the set, without repetition', async (t) => {
  fc.assert(
    fc.property(anyMembers(30), fc.nat(), fc.infiniteStream(fc.boolean()), (members, at, coins) => {
      const ring = ringOf(members, 16)
      const down = members.filter(() => coins.next().value).map((member) => member.id)
      const p = partition(at % 16)
      const list = ring.fallbacks(p, [...down, stranger])
      const living = members.filter(({ id }) => !down.includes(id) && !ring.isReplica(p, id))
      assert.equal(list.length, Math.min(living.length, limits.fallbacksMax))
      assert.equal(new Set(list).size, list.length)
      assert.ok(list.every((id) => living.some((member) => member.id === id)))
      assert.equal(ring.fallbacks(p, [...down, stranger]), list, 'the same array again')
    }),
    { seed, numRuns: 200 },
  )
  t.pass('200 runs')
})

t.test('R16: every node names the same stand-ins', async (t) => {
  const members = cluster(12, 4)
  const one = ringOf(members)
  const other = createRing(one.record, nodeId('n7'))
  for (const p of partitionsOfRing(one)) {
    assert.deepEqual(
      one.fallbacks(p, [nodeId('n3'), nodeId('n5')]),
      other.fallbacks(p, [nodeId('n5'), nodeId('n3')]),
    )
  }
  t.pass('whatever they asked before and in whatever order')
})

t.test(
  'R17: a stand-in shares no host or zone with the living copies while another could serve',
  async (t) => {
    const members = cluster(24, 4).map((one, at) => ({ ...one, host: `h${at % 12}` }))
    const ring = ringOf(members)
    const zoneOf = new Map(members.map((one) => [one.id, one.zone]))
    const machineOf = new Map(members.map((one) => [one.id, hostOf(one)]))
    for (const p of partitionsOfRing(ring)) {
      const set = ring.preferenceList(p)
      for (const gone of [[0], [1], [0, 2]]) {
        const down = gone.map((at) => set[at]!)
        const living = set.filter((id) => !down.includes(id))
        const serving = [...living, ...ring.fallbacks(p, down).slice(0, down.length)]
        assert.equal(new Set(serving.map((id) => zoneOf.get(id))).size, 3, `partition ${p}`)
        assert.equal(new Set(serving.map((id) => machineOf.get(id))).size, 3, `partition ${p}`)
      }
    }
    t.pass('64 partitions, one or two members down')
  },
)

t.test('R17: a crowded zone stands in only when no other is left', async (t) => {
  const ring = ringOf(cluster(4, 3).concat(cluster(6, 3).slice(4)))
  const zoneThere = ring.record.members.filter((one) => one.zone === 'z2').map((one) => one.id)
  for (const p of partitionsOfRing(ring)) {
    const list = ring.fallbacks(p, zoneThere)
    assert.equal(list.length, 2, 'the other nodes of the two zones left')
  }
  t.pass('64 partitions')
})

t.test('R18: the work of a dead node is shared as evenly as whole numbers allow', async (t) => {
  for (const [nodes, partitions, replicas] of [
    [5, 64, 3],
    [8, 64, 5],
    [10, 256, 3],
    [20, 256, 3],
    [40, 512, 3],
  ] as const) {
    const peak = peakOf(ringOf(cluster(nodes), partitions, replicas))
    t.equal(peak.beyondCeiling, 0, `${nodes} nodes, ${partitions} × ${replicas}`)
  }
})

t.test('R18: a heavier node stands in for more', async (t) => {
  const members = cluster(6).map((one, at) => ({ ...one, weight: at === 5 ? 4 : 1 }))
  const ring = ringOf(members, 256, 1)
  const used = new Map<string, number>()
  for (const p of ring.partitionsOf(ring.self)) {
    const [first] = ring.fallbacks(p, [ring.self])
    used.set(first!, (used.get(first!) ?? 0) + 1)
  }
  const share = ring.partitionsOf(ring.self).length / 8
  t.ok(used.get('n5')! >= Math.floor(4 * share), `${used.get('n5')} of ${8 * share}`)
  t.ok(used.get('n1')! <= Math.ceil(share))
})

t.test('R16: when a stand-in is down too, another takes its place', async (t) => {
  const ring = ringOf(cluster(9, 3))
  for (const p of partitionsOfRing(ring)) {
    const [dead] = ring.preferenceList(p)
    const [first] = ring.fallbacks(p, [dead!])
    const [second] = ring.fallbacks(p, [dead!, first!])
    assert.notEqual(second, first)
    assert.equal(ring.member(second!)?.zone, ring.member(dead!)?.zone)
  }
  t.pass('64 partitions')
})

t.test('R16: views of who is down are forgotten, the oldest first', async (t) => {
  const ring = ringOf(cluster(20))
  const p = partition(0)
  const list = ring.fallbacks(p, [nodeId('n1')])
  for (let at = 2; at <= limits.fallbackViewsMax; at++) ring.fallbacks(p, [nodeId(`n${at}`)])
  t.equal(ring.fallbacks(p, [nodeId('n1')]), list, 'still kept')
  ring.fallbacks(p, [nodeId('n19')])
  const again = ring.fallbacks(p, [nodeId('n1')])
  t.not(again, list, 'worked out afresh')
  t.same(again, list, 'to the same answer')
})
