/** Plans come from the seed alone, and never ask more of a store than it promises. */
import t from 'tap'
import { drawRound, type Fault, faultKinds, networkKinds, type PlanSettings } from './plan.ts'

const settings = (seed: number): PlanSettings => ({
  seed,
  faults: faultKinds,
  nodes: [3, 5],
  networks: networkKinds,
  roundMs: 20_000,
  roundsPerCluster: 3,
})

const rounds = Array.from({ length: 400 }, (_, index) => drawRound(settings(index % 20), index))

t.test('the same seed makes the same plan, another one another', async (t) => {
  t.same(drawRound(settings(7), 3), drawRound(settings(7), 3))
  t.notSame(drawRound(settings(7), 3), drawRound(settings(8), 3))
})

t.test('every fault, both networks and both sizes come up', async (t) => {
  const kinds = new Set(rounds.flatMap(({ faults }) => faults.map(({ kind }) => kind)))
  t.same([...kinds].sort(), [...faultKinds].sort())
  t.same(new Set(rounds.map(({ network }) => network)).size, networkKinds.length)
  t.same(new Set(rounds.map(({ nodes }) => nodes)), new Set([3, 5]))
})

const endOf = ({ at, lasts }: Fault): number => at + lasts

const meet = (one: Fault, other: Fault): boolean => one.at < endOf(other) && other.at < endOf(one)

t.test('one thing at a time happens to a process, and to the network', async (t) => {
  const faults = rounds.flatMap((round) =>
    round.faults.flatMap((one, place) =>
      round.faults
        .slice(place + 1)
        .filter((other) => meet(one, other))
        .filter(
          (other) =>
            one.nodes.some((node) => other.nodes.includes(node)) ||
            (one.links.length > 0 && other.links.length > 0),
        ),
    ),
  )
  t.same(faults, [])
})

t.test('one node of a round at most loses data, and a bad disk stays with its node', async (t) => {
  const loses = ({ kind }: Fault): boolean => ['flip', 'wipe', 'disk-full'].includes(kind)
  const wrong = rounds.filter(({ faults, loser }) => {
    const losers = new Set(faults.filter(loses).flatMap(({ nodes }) => nodes))
    return losers.size > 1 || (losers.size === 1 && !losers.has(loser ?? -1))
  })
  t.same(wrong, [], 'one node of a round')
  const faults = rounds.flatMap((round) => {
    const flipped = round.faults.filter(({ kind }) => kind === 'flip')
    const elsewhere = flipped.filter((fault) => fault.nodes[0] !== round.nodes - 1)
    const joined = flipped.length > 0 && round.faults.some(({ kind }) => kind === 'wipe')
    return elsewhere.length > 0 || joined ? [round] : []
  })
  t.same(faults, [], 'bits turn over on one disk, and no other is lost')
})

t.test('namespaces are only asked for what they can do', async (t) => {
  const inNamespaces = rounds.filter(({ network }) => network === 'namespaces')
  const kinds = new Set(inNamespaces.flatMap(({ faults }) => faults.map(({ kind }) => kind)))
  t.notOk(kinds.has('slow') || kinds.has('reset'))
})

t.test('faults that are not wanted do not happen', async (t) => {
  const none = drawRound({ ...settings(1), faults: [] }, 0)
  t.same(none.faults, [])
  const kills = { ...settings(1), faults: ['kill'] as const }
  const kinds = Array.from({ length: 20 }, (_, index) => drawRound(kills, index)).flatMap(
    ({ faults }) => faults.map(({ kind }) => kind),
  )
  t.same(new Set(kinds), new Set(['kill']))
})
