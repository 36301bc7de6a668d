import { nodeId } from '@shoal/kernel'
import fc from 'fast-check'
import type { TableMember } from '../../src/table/canonical.ts'

/** How a random cluster is labelled. */
export interface Labels {
  readonly zones: number
  readonly hosts: number
  readonly weighted: boolean
}

/**
 * Clusters of up to `most` nodes, some with zones, hosts shared by several nodes, and weights. A
 * host lies in one zone. Zones and hosts may be of very unequal size.
 */
export function anyMembers(most: number, start = 0): fc.Arbitrary<TableMember[]> {
  const labels: fc.Arbitrary<Labels> = fc.record({
    zones: fc.integer({ min: 0, max: 5 }),
    hosts: fc.integer({ min: 0, max: 8 }),
    weighted: fc.boolean(),
  })
  const draws = fc.array(
    fc.record({
      place: fc.nat(1_000),
      weight: fc.constantFrom(0.1, 0.5, 1, 1, 2, 3.333, 7, 1_000),
    }),
    { minLength: 1, maxLength: most, size: 'max' },
  )
  return fc
    .tuple(labels, draws)
    .map(([labels, draws]) => draws.map((draw, index) => labelled(labels, index + start, draw)))
}

function labelled(
  { zones, hosts, weighted }: Labels,
  index: number,
  { place, weight }: { place: number; weight: number },
): TableMember {
  const host = hosts === 0 ? undefined : place % hosts
  const zone = zones === 0 ? undefined : (host ?? place) % zones
  return {
    id: nodeId(`n${index}`),
    zone: zone === undefined ? '' : `z${zone}`,
    host: host === undefined || host === 0 ? '' : `h${host}`,
    weight: weighted ? weight : 1,
  }
}

/**
 * Small clusters of very unequal zones and weights: here single replacements run out, and chains
 * and cycles are needed.
 */
export function anyLopsided(start = 0): fc.Arbitrary<TableMember[]> {
  const one = fc.record({ place: fc.nat(4), weight: fc.constantFrom(1, 1, 2, 4) })
  return fc
    .array(one, { minLength: 3, maxLength: 12, size: 'max' })
    .map((draws) =>
      draws.map((draw, at) => labelled({ zones: 5, hosts: 0, weighted: true }, at + start, draw)),
    )
}
