import MerkleTools from 'merkle-tools'

/**
 * The only file that names the library, so that it can be replaced in one place.
 *
 * Trees are built, asked and dropped: the library keeps each node as a buffer of its own, 63 for 32
 * leaves, which would be 300 KiB for a partition. What is kept between two exchanges are the leaves
 * and the roots.
 *
 * The hash is SHA-256, the library's default. All that it offers cost about the same, 2 µs a node,
 * because the call costs more than the hashing.
 */
const HASH = { hashType: 'sha256' }
export const ROOT_BYTES = 32

export interface MerkleStep {
  /** The neighbour is hashed before what is proven, not behind it. */
  readonly left: boolean
  readonly hash: Buffer
}

/**
 * The root over some leaves, in their order.
 *
 * Cost: 31 hashes for 32 leaves, about 60 µs.
 */
export function merkleRoot(leaves: readonly Buffer[]): Buffer {
  return treeOver(leaves).getMerkleRoot() as Buffer
}

/** The neighbours on the way from a leaf to the root. */
export function merklePath(leaves: readonly Buffer[], index: number): MerkleStep[] {
  const proof = treeOver(leaves).getProof(index) as readonly LibraryStep[]
  return proof.map(({ left, right }) => ({
    left: left !== undefined,
    hash: Buffer.from((left ?? right) as string, 'hex'),
  }))
}

/** Whether a leaf lies under a root, as the path says. */
export function isUnder(path: readonly MerkleStep[], leaf: Buffer, root: Buffer): boolean {
  const proof = path.map(({ left, hash }) => (left ? { left: hash } : { right: hash }))
  // The library's types have one step where it takes a list of them.
  return new MerkleTools(HASH).validateProof(proof as never, leaf, root)
}

interface LibraryStep {
  readonly left?: string
  readonly right?: string
}

function treeOver(leaves: readonly Buffer[]): MerkleTools {
  const tree = new MerkleTools(HASH)
  for (const leaf of leaves) tree.addLeaf(leaf)
  tree.makeTree()
  return tree
}
