/**
 * Ten histories of a growing, shrinking or changing cluster. Each yields the member list after
 * every step; the bars of SPEC.md are measured over all of them.
 */
import { createSeededRandom, nodeId, type Random } from '@shoal/kernel'
import type { TableMember } from '../../src/table/canonical.ts'

export interface Scenario {
  readonly name: string
  readonly zoned: boolean
  readonly weighted: boolean
  /** What one step changes. */
  readonly kind: 'join' | 'leave' | 'zone' | 'weight' | 'replace'
  readonly steps: readonly (readonly TableMember[])[]
}

/** Zone `z0`, `z1` … by number; none where `zones` is 0. */
export function member(name: string | number, zones = 0, at = 0, weight = 1): TableMember {
  const zone = zones === 0 ? '' : `z${at % zones}`
  return { id: nodeId(`n${name}`), zone, host: '', weight }
}

export function cluster(size: number, zones = 0): TableMember[] {
  return Array.from({ length: size }, (_, index) => member(index, zones, index))
}

function joins(zones: number): Scenario {
  const steps = Array.from({ length: 100 }, (_, index) => cluster(index + 1, zones))
  return { name: `joins, ${zones} zones`, zoned: zones > 0, weighted: false, kind: 'join', steps }
}

function leaves(from: number, to: number, zones: number): Scenario {
  const random = createSeededRandom(`leaves:${zones}`)
  let members = cluster(from, zones)
  const steps: TableMember[][] = [members]
  while (members.length > to) {
    const gone = random.below(members.length)
    members = members.filter((_, index) => index !== gone)
    steps.push(members)
  }
  return { name: `leaves, ${zones} zones`, zoned: zones > 0, weighted: false, kind: 'leave', steps }
}

function zoneAdds(): Scenario {
  const members = cluster(24, 3)
  const steps: TableMember[][] = [[...members]]
  for (const zone of [3, 4]) {
    for (let count = 0; count < 8; count++) {
      members.push({ ...member(members.length), zone: `z${zone}` })
      steps.push([...members])
    }
  }
  return { name: 'zones added', zoned: true, weighted: false, kind: 'zone', steps }
}

function weights(zones: number): Scenario {
  const random = createSeededRandom(`weights:${zones}`)
  const weightOf = (random: Random): number => 2 ** random.below(3)
  let next = 12
  let members = Array.from({ length: next }, (_, at) => member(at, zones, at, weightOf(random)))
  const steps: TableMember[][] = [members]
  for (let step = 0; step < 34; step++) {
    const victim = random.below(members.length)
    const change = random.below(3)
    if (change === 0 || members.length <= 8) {
      members = [...members, member(next, zones, next, weightOf(random))]
      next++
    } else if (change === 1) {
      members = members.filter((_, index) => index !== victim)
    } else {
      members = members.map((one, index) =>
        index === victim ? { ...one, weight: weightOf(random) } : one,
      )
    }
    steps.push(members)
  }
  return {
    name: `weights, ${zones} zones`,
    zoned: zones > 0,
    weighted: true,
    kind: 'weight',
    steps,
  }
}

function replaces(): Scenario {
  const random = createSeededRandom('replaces')
  let members = cluster(20)
  const steps: TableMember[][] = [members]
  for (let step = 0; step < 40; step++) {
    const victim = random.below(members.length)
    members = members.map((one, index) => (index === victim ? member(100 + step) : one))
    steps.push(members)
  }
  return { name: 'replaces', zoned: false, weighted: false, kind: 'replace', steps }
}

export const scenarios: readonly Scenario[] = [
  joins(0),
  joins(2),
  joins(3),
  joins(5),
  leaves(100, 6, 0),
  leaves(60, 8, 4),
  zoneAdds(),
  weights(0),
  weights(4),
  replaces(),
]

export const partitionCounts = [64, 128, 256, 512, 1_024] as const
export const replicaCounts = [3, 5] as const
