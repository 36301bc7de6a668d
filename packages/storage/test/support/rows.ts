import { liveHeaderAt, putVersion, stampOfMillis, versionClock } from '@shoal/causality'
import { millis } from '@shoal/kernel'
import fc from 'fast-check'
import { encodeTombstoneBlock, encodeValueBlock, type NewValue } from '../../src/row/value-block.ts'

/** A row's parts as a replica would make them: from writes on a version. */
export interface RowParts {
  readonly version: Buffer
  readonly clock: Buffer
  readonly values: readonly (NewValue & { readonly tombstone: boolean })[]
  readonly token: bigint
}

export interface Wish {
  readonly actor: number
  readonly tombstone: boolean
  readonly contentType: string
  readonly contentEncoding: string
  readonly body: Uint8Array
  readonly expiry: number
}

const text = (maxLength: number): fc.Arbitrary<string> =>
  fc.uint8Array({ maxLength }).map((bytes) => Buffer.from(bytes).toString('latin1'))

const wish: fc.Arbitrary<Wish> = fc.record({
  actor: fc.integer({ min: 1, max: 5 }),
  tombstone: fc.boolean(),
  contentType: text(40),
  contentEncoding: text(10),
  body: fc.uint8Array({ maxLength: 300 }),
  expiry: fc.integer({ min: 0, max: 2 ** 50 }),
})

/** Concurrent writes: none of them has seen another, so all of them live. */
export const rowParts: fc.Arbitrary<RowParts> = fc
  .tuple(
    fc.array(wish, { minLength: 1, maxLength: 5 }),
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  )
  .map(([wishes, token]) => buildParts(wishes, token))

export function buildParts(wishes: readonly Wish[], token: bigint): RowParts {
  let version: Buffer | undefined
  const byDot = new Map<string, Wish>()
  for (const [index, { actor, tombstone, expiry }] of wishes.entries()) {
    const put = putVersion(version, undefined, {
      actor: Buffer.alloc(8, actor),
      counter: index + 1,
      tombstone,
      stamp: stampOfMillis(millis(1_700_000_000_000 + index)),
      request: Buffer.alloc(8, index),
      expiry,
    })
    version = put.version
    byDot.set(put.header.toString('hex', 0, 16), wishes[index] as Wish)
  }
  const last = version as Buffer
  const values = Array.from({ length: wishes.length }, (_none, index) => {
    const at = liveHeaderAt(last, index)
    const header = last.subarray(at, at + 41)
    return { header, ...(byDot.get(header.toString('hex', 0, 16)) as Wish) }
  })
  return { version: last, clock: versionClock(last), values, token }
}

export const encodeBlocks = ({ values, token }: RowParts): Buffer[] =>
  values.map((value) =>
    value.tombstone ? encodeTombstoneBlock(value.header, token) : encodeValueBlock(value, token),
  )
