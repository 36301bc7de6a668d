import { arc } from 'd3-shape'
import type { Ring } from './api.ts'

/** One node's stretch of one circle: consecutive partitions in the same place of their lists. */
export interface RingArc {
  readonly node: string
  /** 0: the primary's circle, outermost. */
  readonly place: number
  readonly from: number
  /** The last partition of the stretch. */
  readonly to: number
  /** An SVG path round the origin. */
  readonly path: string
}

/**
 * The ring as circles, one for each place in the preference lists. Neighbouring partitions with one
 * owner are one arc: 256 partitions on three nodes would else be 768 slivers.
 */
export function ringArcs(ring: Pick<Ring, 'table'>, radius: number): RingArc[] {
  const places = Math.max(0, ...ring.table.map((set) => set.length))
  const band = (radius * 0.62) / Math.max(1, places)
  const arcs: RingArc[] = []
  for (let place = 0; place < places; place++) {
    const outer = radius - place * band
    for (const { node, from, to } of stretches(ring.table, place)) {
      const path = slice(ring.table.length, { from, to, inner: outer - band + 2, outer })
      arcs.push({ node, place, from, to, path })
    }
  }
  return arcs
}

/** The slice of one partition over all circles, to show where the pointer is. */
export function partitionSlice(partitions: number, partition: number, radius: number): string {
  return slice(partitions, {
    from: partition,
    to: partition,
    inner: radius * 0.36,
    outer: radius + 4,
  })
}

/** Which partition lies in this direction from the centre; 0 is at twelve o'clock. */
export function partitionAt(partitions: number, x: number, y: number): number {
  const turn = (Math.atan2(x, -y) / (2 * Math.PI) + 1) % 1
  return Math.min(partitions - 1, Math.floor(turn * partitions))
}

function stretches(
  table: Ring['table'],
  place: number,
): { node: string; from: number; to: number }[] {
  const found: { node: string; from: number; to: number }[] = []
  table.forEach((set, partition) => {
    const node = set[place]
    if (node === undefined) return
    const last = found.at(-1)
    if (last && last.node === node && last.to === partition - 1) last.to = partition
    else found.push({ node, from: partition, to: partition })
  })
  return found
}

function slice(
  partitions: number,
  { from, to, inner, outer }: { from: number; to: number; inner: number; outer: number },
): string {
  const angle = (2 * Math.PI) / partitions
  const shape = arc<null>()
    .innerRadius(inner)
    .outerRadius(outer)
    .startAngle(from * angle)
    .endAngle((to + 1) * angle)
  return shape(null) ?? ''
}

/** Partitions that each node holds, in whichever place. */
export function shares(ring: Pick<Ring, 'table'>): Map<string, { primary: number; all: number }> {
  const found = new Map<string, { primary: number; all: number }>()
  for (const set of ring.table) {
    set.forEach((node, place) => {
      const share = found.get(node) ?? { primary: 0, all: 0 }
      found.set(node, { primary: share.primary + (place === 0 ? 1 : 0), all: share.all + 1 })
    })
  }
  return found
}
