import { limits } from '@shoal/kernel'

/**
 * What a segment's rows say, laid beside what its digest says (E4).
 *
 * Each key is on disk twice: its row, and the record of its version (the replica's writes go by the
 * record alone). A digest counts what the replica believes a key to be, so that its next write
 * takes out exactly what was put in: the record, or the row where the record cannot be read, or
 * nothing where there is no record.
 *
 * The obvious scrub stops writes while it reads a partition, or compares against a moving target.
 * Here the kept digest is read before and after the rows of a segment: if it has not changed, no
 * write came between, for a version never comes back, and the two must agree.
 */
export interface CheckedKey {
  readonly segment: number
  readonly rowKey: Buffer
  /** Digest of the version in the row; undefined when the row fails its checksums. */
  readonly row: bigint | undefined
  /** Digest of the version record; undefined when it is damaged, null when there is none. */
  readonly record: bigint | undefined | null
  /** Whether the row holds nothing but tombstones. */
  readonly deleted: boolean
}

/** What is wrong with one key on this disk. */
export interface Finding {
  readonly segment: number
  readonly rowKey: Buffer
  /**
   * `row`: the row is damaged, a peer has to give it. `record`: the row is sound and the record of
   * its version is not, or says something else: the row can be merged into itself.
   */
  readonly kind: 'row' | 'record'
}

export interface SegmentVerdict {
  readonly segment: number
  readonly kept: bigint
  readonly rebuilt: bigint
}

export interface RunVerdict {
  /** Segments whose digest is not that of their rows. */
  readonly wrong: readonly SegmentVerdict[]
  /** Segments written to while they were read: look again. */
  readonly moving: readonly number[]
  readonly findings: readonly Finding[]
  /** True when there were more findings than are kept. */
  readonly more: boolean
  readonly rows: number
  /** Of them deleted. */
  readonly tombstones: number
}

/** Collects a run of neighbouring segments while their rows are read. */
export class SegmentCheck {
  readonly #digestOf: (segment: number) => bigint
  readonly #before = new Map<number, bigint>()
  readonly #rebuilt = new Map<number, bigint>()
  readonly #findings: Finding[] = []
  #more = false
  #rows = 0
  #tombstones = 0

  /** @param digestOf  the kept digest of a segment as it is now */
  constructor(segments: readonly number[], digestOf: (segment: number) => bigint) {
    this.#digestOf = digestOf
    for (const segment of segments) {
      this.#before.set(segment, digestOf(segment))
      this.#rebuilt.set(segment, 0n)
    }
  }

  add({ segment, rowKey, row, record, deleted }: CheckedKey): void {
    this.#rows++
    if (deleted) this.#tombstones++
    this.#rebuilt.set(segment, (this.#rebuilt.get(segment) ?? 0n) ^ believed(row, record))
    if (row === undefined) this.#find({ segment, rowKey, kind: 'row' })
    else if (record !== row) this.#find({ segment, rowKey, kind: 'record' })
  }

  /**
   * All rows have been read. What was found in a segment that moved is left out: a row and its
   * record read at two moments differ without being wrong.
   */
  verdict(): RunVerdict {
    const wrong: SegmentVerdict[] = []
    const moving: number[] = []
    for (const [segment, before] of this.#before) {
      const kept = this.#digestOf(segment)
      const rebuilt = this.#rebuilt.get(segment) ?? 0n
      if (kept !== before) moving.push(segment)
      else if (kept !== rebuilt) wrong.push({ segment, kept, rebuilt })
    }
    const findings = this.#findings.filter(({ segment }) => !moving.includes(segment))
    const counts = { rows: this.#rows, tombstones: this.#tombstones }
    return { wrong, moving, findings, more: this.#more, ...counts }
  }

  #find(finding: Finding): void {
    if (this.#findings.length < limits.damagedKeysMax) this.#findings.push(finding)
    else this.#more = true
  }
}

/** What the next write to the key takes out of the digest. */
function believed(row: bigint | undefined, record: bigint | undefined | null): bigint {
  return record === null ? 0n : (record ?? row ?? 0n)
}
