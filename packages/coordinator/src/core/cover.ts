import type { NodeId } from '@shoal/kernel'
import type { Ring } from '@shoal/ring'

/**
 * Which nodes to ask for which partitions, so that every partition is read at `need` of its
 * primaries.
 *
 * @returns partitions by node, as bits with the most significant first; or the first partition that
 *          too few reachable primaries hold
 */
export function coverPartitions(
  ring: Ring,
  options: {
    n: number
    need: number
    prefer: NodeId
    isUp: (node: NodeId) => boolean
    /** To be asked last. */
    isDoubted?: (node: NodeId) => boolean
  },
): Map<NodeId, Buffer> | { readonly short: number; readonly got: number } {
  const { n, need, prefer, isUp, isDoubted } = options
  const cover = new Map<NodeId, Buffer>()
  for (let partition = 0; partition < ring.partitions; partition++) {
    const nodes = ring
      .preferenceList(partition as never)
      .slice(0, n)
      .filter(isUp)
    if (nodes.length < need) return { short: partition, got: nodes.length }
    // Own disk first: it costs no message.
    const rank = (node: NodeId): number => (node === prefer ? 0 : isDoubted?.(node) ? 2 : 1)
    nodes.sort((one, other) => rank(one) - rank(other))
    for (const node of nodes.slice(0, need)) {
      let bits = cover.get(node)
      if (!bits) {
        bits = Buffer.alloc(Math.ceil(ring.partitions / 8))
        cover.set(node, bits)
      }
      bits[partition >> 3] = (bits[partition >> 3] as number) | (0x80 >> (partition & 7))
    }
  }
  return cover
}
