import assert from 'node:assert/strict'
import { nodeId } from '@shoal/kernel'
import fc from 'fast-check'
import t from 'tap'
import { hash64, hex64, type PlacementTable, planTable, type TableMember } from '../src/index.ts'
import { anyLopsided, anyMembers } from './support/arbitraries.ts'
import {
  countNew,
  faultsOfLoads,
  faultsOfPrimaries,
  faultsOfSets,
  fewestNew,
  loadsOf,
  type Placement,
  sorted,
  spreadOf,
} from './support/judge.ts'
import { cluster, partitionCounts, replicaCounts, scenarios } from './support/scenarios.ts'

const seed = 20_071_014
const plan = (placement: Omit<Placement, 'table'>): Placement => ({
  ...placement,
  table: planTable(placement),
})
const previousOf = ({ members, table }: Placement) => ({
  ids: sorted(members).map((member) => member.id),
  table,
})
const faultsOf = (placement: Placement): string[] => [
  ...faultsOfSets(placement),
  ...faultsOfLoads(placement),
  ...faultsOfPrimaries(placement),
]
const digestOf = (table: PlacementTable): string =>
  hex64(hash64(Buffer.from(JSON.stringify(table))))

t.test('R5, R6, R8: tables of every scenario keep sets, loads and leads in bounds', async (t) => {
  for (const { name, steps } of scenarios) {
    const faults: string[] = []
    for (const [at, members] of steps.entries()) {
      if (at % 7 > 0 && at < steps.length - 1) continue
      const partitions = partitionCounts[at % 3]!
      const replicas = replicaCounts[at % 2]!
      faults.push(...faultsOf(plan({ partitions, replicas, members })))
    }
    t.same(faults.slice(0, 5), [], name)
  }
})

t.test('R5, R6, R8: any zones, hosts and weights', async (t) => {
  const sizes = fc.constantFrom(8, 16, 32, 64)
  const replicas = fc.integer({ min: 1, max: 7 })
  fc.assert(
    fc.property(anyMembers(40), sizes, replicas, (members, partitions, replicas) => {
      assert.deepEqual(faultsOf(plan({ partitions, replicas, members })), [])
    }),
    { seed, numRuns: 300 },
  )
  t.pass('every run')
})

t.test('R6: the loads that a table reaches are reachable by a flow, and needed', async (t) => {
  const sizes = fc.constantFrom(8, 16)
  const replicas = fc.integer({ min: 1, max: 5 })
  fc.assert(
    fc.property(anyMembers(20), sizes, replicas, (members, partitions, replicas) => {
      const copies = Math.min(replicas, members.length)
      assert.equal(fewestNew({ partitions, replicas, members }), partitions * copies)
    }),
    { seed, numRuns: 60 },
  )
  t.pass('every run')
})

t.test('R7: members in another order give the same table', async (t) => {
  fc.assert(
    fc.property(
      anyMembers(30).chain((members) =>
        fc.tuple(
          fc.constant(members),
          fc.shuffledSubarray(members, { minLength: members.length, maxLength: members.length }),
        ),
      ),
      ([members, shuffled]) => {
        const sizes = { partitions: 32, replicas: 3 }
        assert.deepEqual(
          planTable({ ...sizes, members: shuffled }),
          planTable({ ...sizes, members }),
        )
      },
    ),
    { seed, numRuns: 40 },
  )
  t.pass('every run')
})

t.test('R7: tables are what they were, on every machine and Node version', async (t) => {
  const weighted = cluster(12, 4).map((one, at) => ({ ...one, weight: 2 ** (at % 3) }))
  const hosted = cluster(18, 3).map((one, at) => ({ ...one, host: `h${at % 9}` }))
  const golden: readonly (readonly [number, number, readonly TableMember[], string])[] = [
    [256, 3, cluster(3), '24e8e110998df427'],
    [256, 3, cluster(10), '495a1eb29c47994b'],
    [64, 5, cluster(7, 3), 'fb8cf6c4c6dfcd53'],
    [256, 3, cluster(20, 3), '928719eea43a7649'],
    [512, 3, weighted, 'bc248cc60d5133fa'],
    [128, 3, hosted, 'f433f39f365ed898'],
    [1_024, 3, cluster(200), '260002fadc2ba9c8'],
  ]
  for (const [partitions, replicas, members, digest] of golden) {
    const table = planTable({ partitions, replicas, members })
    t.equal(digestOf(table), digest, `${partitions} partitions, ${members.length} members`)
  }
})

t.test('R9: unzoned equal nodes meet each other as evenly as whole numbers allow', async (t) => {
  for (const partitions of [64, 256] as const) {
    for (const replicas of replicaCounts) {
      for (const size of [6, 10, 14, 20, 31, 50]) {
        const spread = spreadOf(plan({ partitions, replicas, members: cluster(size) }))
        if (spread.mean < 2) continue
        t.equal(spread.beyondCeiling, 0, `${partitions} × ${replicas}, ${size} nodes`)
      }
    }
  }
})

t.test('R5: two nodes of one host hold no copy together while another host has room', async (t) => {
  const on = (name: string, zone: string, host: string): TableMember => ({
    id: nodeId(name),
    zone,
    host,
    weight: 1,
  })
  const members = [
    on('a1', 'a', 'h1'),
    on('a2', 'a', 'h1'),
    on('a3', 'a', 'h1'),
    on('b1', 'b', 'h2'),
    on('b2', 'b', 'h3'),
  ]
  const three = plan({ partitions: 64, replicas: 3, members })
  t.same(faultsOf(three), [])
  t.ok(
    three.table.every((set) => set.filter((node) => node < 3).length === 1),
    'zone b takes two copies rather than host h1',
  )
  const five = plan({ partitions: 64, replicas: 4, members })
  t.ok(
    five.table.every((set) => set.filter((node) => node < 3).length === 2),
    'with fewer hosts than copies the hosts are as level as they can be',
  )
})

t.test('R5: three zones and three copies have no seam', async (t) => {
  const members = cluster(9, 3)
  const { table } = plan({ partitions: 256, replicas: 3, members })
  const zoneOf = sorted(members).map((member) => member.zone)
  t.ok(table.every((set) => new Set(set.map((node) => zoneOf[node])).size === 3))
})

t.test('R6: a node far heavier than the rest holds each partition once', async (t) => {
  const members = cluster(4).map((one, at) => ({ ...one, weight: at === 0 ? 1_000 : 1 }))
  const placement = plan({ partitions: 64, replicas: 3, members })
  t.same(faultsOf(placement), [])
  t.equal(loadsOf(placement)[0], 64)
})

t.test('fewer members than copies hold everything, each', async (t) => {
  for (const size of [1, 2, 3]) {
    const placement = plan({ partitions: 8, replicas: 3, members: cluster(size) })
    t.same(faultsOf(placement), [])
    t.ok(placement.table.every((set) => set.length === size))
  }
})

t.test('R10: an unchanged cluster keeps its table', async (t) => {
  fc.assert(
    fc.property(anyMembers(20), (members) => {
      const first = plan({ partitions: 32, replicas: 3, members })
      const again = planTable({ ...first, previous: previousOf(first) })
      const sets = (table: PlacementTable): string[] =>
        table.map((set) => [...set].sort((a, b) => a - b).join())
      assert.deepEqual(sets(again), sets(first.table))
      assert.deepEqual(
        again.map(([primary]) => primary),
        first.table.map(([primary]) => primary),
      )
    }),
    { seed, numRuns: 40 },
  )
  t.pass('every run')
})

t.test('R10: any change moves the fewest replicas that a flow finds possible', async (t) => {
  const clusters = fc.oneof(
    fc.tuple(anyMembers(14), anyMembers(14, 7)),
    fc.tuple(anyLopsided(), anyLopsided(4)),
  )
  const sizes = fc.constantFrom(8, 16, 32)
  const replicas = fc.integer({ min: 1, max: 6 })
  fc.assert(
    fc.property(clusters, sizes, replicas, ([before, members], partitions, replicas) => {
      const first = plan({ partitions, replicas, members: before })
      const previous = previousOf(first)
      const after = { ...first, members, table: planTable({ ...first, members, previous }) }
      assert.deepEqual(faultsOf(first), [])
      assert.deepEqual(faultsOf(after), [])
      assert.equal(countNew(after, previous), fewestNew(after, previous))
    }),
    { seed, numRuns: 400 },
  )
  t.pass('every run')
})

t.test('R10: one node joining or leaving changes at most one member of a set', async (t) => {
  const sizes = { partitions: 256, replicas: 3 }
  for (const [from, to] of [
    [10, 11],
    [11, 10],
    [30, 31],
  ] as const) {
    const before = plan({ ...sizes, members: cluster(from) })
    const previous = previousOf(before)
    const members = cluster(to)
    const table = planTable({ ...sizes, members, previous })
    const ids = sorted(members).map((member) => member.id)
    const changed = table.map((set, partition) => {
      const old = new Set(before.table[partition]!.map((member) => previous.ids[member]))
      return set.filter((node) => !old.has(ids[node]!)).length
    })
    t.ok(
      changed.every((count) => count <= 1),
      `${from} to ${to} nodes`,
    )
  }
})

t.test('impossible requests are bugs of the caller', async (t) => {
  const members = cluster(3)
  t.throws(() => planTable({ partitions: 8, replicas: 0, members }), /at least one copy/)
  t.throws(() => planTable({ partitions: 0, replicas: 3, members }), /has partitions/)
  t.throws(() => planTable({ partitions: 8, replicas: 3, members: [] }), /has members/)
  const twice = [...members, members[0]!]
  t.throws(() => planTable({ partitions: 8, replicas: 3, members: twice }), /ids are distinct/)
  const previous = { ids: [], table: [] }
  t.throws(() => planTable({ partitions: 8, replicas: 3, members, previous }), /never changes/)
})
