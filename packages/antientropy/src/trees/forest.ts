import { limits, type Partition } from '@shoal/kernel'
import { DIGEST_BYTES, GROUP_BYTES, GROUP_SEGMENTS, GROUPS } from '../core/groups.ts'
import { isUnder, type MerkleStep, merklePath, merkleRoot, ROOT_BYTES } from './merkle.ts'

/**
 * The Merkle forest of each partition (E1): 32 trees of 32 leaves, and one tree over their roots. A
 * leaf is a segment digest.
 *
 * Kept up with every write, a tree would cost each write ten hashes for the sake of a comparison
 * that comes every few minutes. So nothing is done on writes. When a tree is asked for, the digests
 * are laid beside those it was built from, and only groups in which one has changed are built anew:
 * a partition that nobody wrote to costs a comparison of 8 KiB, 3 µs; one write costs two small
 * trees.
 */
const LEAVES_BYTES = limits.digestSegments * DIGEST_BYTES
const LEVELS = Math.log2(limits.digestSegments)

/** Where the segment digests are kept: the replica. */
export interface SegmentDigests {
  /** Neighbouring digests, big-endian, as many as `target` takes. @returns the target */
  copyDigests(partition: Partition, first: number, target: Buffer): Buffer
}

export interface Roots {
  readonly root: Buffer
  /** The roots of the 32 groups. Not to be changed. */
  readonly children: readonly Buffer[]
}

/** The way from a segment to the root of its partition: the trees lie on top of each other. */
export interface ForestPath {
  readonly path: readonly MerkleStep[]
  readonly root: Buffer
}

interface Tree {
  /** The digests the roots were built from, big-endian. */
  leaves: Buffer
  readonly children: Buffer[]
  root: Buffer
}

export class Forest {
  readonly #digests: SegmentDigests
  readonly #kept: number
  /** Least recently asked for first. */
  readonly #trees = new Map<Partition, Tree>()
  #built = 0

  constructor(digests: SegmentDigests, kept: number = limits.forestsKept) {
    this.#digests = digests
    this.#kept = kept
  }

  /** Small trees built so far: what this costs. */
  get built(): number {
    return this.#built
  }

  /** The roots as the digests are now. */
  roots(partition: Partition): Roots {
    return this.#refresh(partition)
  }

  /** The 32 digests of a group as they are now, big-endian. A copy. */
  group(partition: Partition, group: number): Buffer {
    const first = group * GROUP_SEGMENTS
    return this.#digests.copyDigests(partition, first, Buffer.allocUnsafe(GROUP_BYTES))
  }

  path(partition: Partition, segment: number): ForestPath {
    const { leaves, children, root } = this.#refresh(partition)
    const group = Math.floor(segment / GROUP_SEGMENTS)
    const inGroup = merklePath(leavesOf(leaves, group), segment % GROUP_SEGMENTS)
    return { path: [...inGroup, ...merklePath(children, group)], root }
  }

  #refresh(partition: Partition): Tree {
    const known = this.#trees.get(partition)
    const tree = known ?? emptyTree()
    const now = this.#digests.copyDigests(partition, 0, Buffer.allocUnsafe(LEAVES_BYTES))
    if (!now.equals(tree.leaves)) this.#build(tree, now)
    this.#keep(partition, tree)
    return tree
  }

  #build(tree: Tree, now: Buffer): void {
    for (let group = 0; group < GROUPS; group++) {
      const at = group * GROUP_BYTES
      if (now.compare(tree.leaves, at, at + GROUP_BYTES, at, at + GROUP_BYTES) === 0) continue
      tree.children[group] = merkleRoot(leavesOf(now, group))
      this.#built++
    }
    tree.leaves = now
    tree.root = merkleRoot(tree.children)
    this.#built++
  }

  #keep(partition: Partition, tree: Tree): void {
    this.#trees.delete(partition)
    this.#trees.set(partition, tree)
    if (this.#trees.size <= this.#kept) return
    const [oldest] = this.#trees.keys()
    if (oldest !== undefined) this.#trees.delete(oldest)
  }
}

/** Whether a segment with this digest lies where the path says, and is the segment meant. */
export function isInForest({ path, root }: ForestPath, segment: number, digest: Buffer): boolean {
  const place = path.reduce((index, { left }, level) => (left ? index | (1 << level) : index), 0)
  const isOfForest = path.length === LEVELS && root.length === ROOT_BYTES
  return isOfForest && place === segment && isUnder(path, digest, root)
}

/** Leaves are views of one buffer: nothing is copied to build a tree. */
function leavesOf(leaves: Buffer, group: number): Buffer[] {
  const from = group * GROUP_BYTES
  return Array.from({ length: GROUP_SEGMENTS }, (_none, index) => {
    const at = from + index * DIGEST_BYTES
    return leaves.subarray(at, at + DIGEST_BYTES)
  })
}

const nothing = merkleRoot(leavesOf(Buffer.alloc(GROUP_BYTES), 0))
const nothingRoot = merkleRoot(Array.from({ length: GROUPS }, () => nothing))

/** Of a partition without rows. */
function emptyTree(): Tree {
  return {
    leaves: Buffer.alloc(LEAVES_BYTES),
    children: Array.from({ length: GROUPS }, () => nothing),
    root: nothingRoot,
  }
}
