import { HEADER_BYTES, liveAt, mergeVersions, relate, versionClock } from '@shoal/causality'
import { invariant } from '@shoal/kernel'
import { rowBlocks, rowByteLength, rowVersion, writeRow } from '@shoal/storage'

/** A row that passed its checksums, with the version in it. */
export interface KnownRow {
  readonly version: Buffer
  readonly row: Buffer
}

const DOT_BYTES = 16

/**
 * Merges two states of one key, values included (V2). Returns one of its arguments where that is
 * the result.
 */
export function mergeKnownRows(local: KnownRow, incoming: KnownRow, token: bigint): KnownRow {
  const relation = relate(local.version, incoming.version)
  if (relation === 'same' || relation === 'keep') return local
  return relation === 'take' ? incoming : mergeRows(local, incoming, token)
}

/**
 * As `mergeKnownRows`, where neither side contains the other. Blocks are carried as they are (V1).
 */
export function mergeRows(local: KnownRow, incoming: KnownRow, token: bigint): KnownRow {
  const { version, sources } = mergeVersions(local.version, incoming.version)
  const sides = [rowBlocks(local.row), rowBlocks(incoming.row)]
  const taken = [0, 0]
  const blocks: Buffer[] = []
  for (let index = 0; index < sources.length; index++) {
    const header = liveAt(version) + index * HEADER_BYTES
    const source = sources[index] as 0 | 1
    const side = sides[source] as Buffer[]
    // Both sides are in the order of their dots: the next survivor lies behind the last one.
    while (taken[source] !== side.length && !isOf(side[taken[source] as number], version, header)) {
      taken[source] = (taken[source] as number) + 1
    }
    const block = side[taken[source] as number]
    invariant(block !== undefined, 'a live dot has its value in the row it came from (V1)')
    blocks.push(block)
  }
  const clock = versionClock(version)
  const row = Buffer.allocUnsafe(rowByteLength(clock, blocks))
  writeRow(row, 0, clock, blocks, token)
  return { version, row }
}

export function knownRow(row: Buffer): KnownRow {
  return { version: rowVersion(row), row }
}

function isOf(block: Buffer | undefined, version: Buffer, header: number): boolean {
  return block?.compare(version, header, header + DOT_BYTES, 0, DOT_BYTES) === 0
}
