import { validateVersion } from '@shoal/causality'
import { createSeededRandom } from '@shoal/kernel'
import { hash64 } from '@shoal/ring'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { encodeRow, rowBlocks, rowByteLength, rowVersion, writeRow } from '../src/row/row.ts'
import { decodeStoredVersion, encodeStoredVersion } from '../src/row/stored-version.ts'
import { decodeValue, encodeValueBlock, valueBlockByteLength } from '../src/row/value-block.ts'
import { verifyRow } from '../src/row/verify.ts'
import { buildParts, encodeBlocks, type RowParts, rowParts } from './support/rows.ts'

const SEED = 20_071_014
const settings = { seed: SEED, numRuns: 300 }
t.comment(`seed ${SEED}`)

const rowOf = (parts: RowParts): Buffer => encodeRow(parts.clock, encodeBlocks(parts), parts.token)

const sample = buildParts(
  [
    {
      actor: 2,
      tombstone: false,
      contentType: 'text/plain',
      contentEncoding: 'gzip',
      body: Buffer.from('reef'),
      expiry: 7,
    },
    {
      actor: 1,
      tombstone: true,
      contentType: '',
      contentEncoding: '',
      body: Buffer.alloc(0),
      expiry: 0,
    },
  ],
  0x0123_4567_89ab_cdefn,
)

t.test('ST13 a row is laid out as written down', async (t) => {
  const row = rowOf(sample)
  const clockBytes = sample.clock.length
  t.equal(row.toString('latin1', 0, 2), 'SR')
  t.same([...row.subarray(2, 6)], [1, 0, 0, 2], 'format, zero, two values')
  t.ok(row.subarray(6, 6 + clockBytes).equals(sample.clock))
  const checkAt = 6 + clockBytes
  t.equal(row.readBigUInt64BE(checkAt), hash64(row.subarray(0, checkAt), sample.token))

  const deleted = checkAt + 8
  t.equal(row[deleted + 16], 1, 'the lower actor comes first, and is the delete')
  t.equal(row.readUInt32BE(deleted + 41), 0)
  t.equal(
    row.readBigUInt64BE(deleted + 45),
    hash64(row.subarray(deleted, deleted + 45), sample.token),
  )

  const value = deleted + 53
  const payload = '\0\x0atext/plain\x04gzipreef'
  t.equal(row.readUInt32BE(value + 41), payload.length)
  t.equal(row.toString('latin1', value + 45, value + 45 + payload.length), payload)
  const end = value + 45 + payload.length
  t.equal(row.readBigUInt64BE(end), hash64(row.subarray(value, end), sample.token))
  t.equal(row.length, end + 8)
  t.equal(verifyRow(row, sample.token), 'ok')
})

t.test('ST13 what goes into a row comes out of it', async (t) => {
  const property = fc.property(rowParts, (parts) => {
    const row = rowOf(parts)
    if (verifyRow(row, parts.token) !== 'ok') return false
    const version = rowVersion(row)
    if (!version.equals(parts.version) || validateVersion(version) !== undefined) return false
    return rowBlocks(row).every((block, index) => {
      const wanted = parts.values[index] as RowParts['values'][number]
      const value = decodeValue(block)
      const empty = wanted.tombstone
      return (
        value.header.equals(wanted.header) &&
        value.tombstone === wanted.tombstone &&
        value.stamp === Buffer.from(wanted.header).readBigUInt64BE(17) &&
        value.request.equals(wanted.header.subarray(25, 33)) &&
        BigInt(value.expiry) === Buffer.from(wanted.header).readBigUInt64BE(33) &&
        value.contentType === (empty ? '' : wanted.contentType) &&
        value.contentEncoding === (empty ? '' : wanted.contentEncoding) &&
        value.body.equals(empty ? Buffer.alloc(0) : wanted.body)
      )
    })
  })
  t.doesNotThrow(() => fc.assert(property, settings))
})

t.test(
  'ST14 a row built inside a larger buffer is the same row, and touches nothing else',
  async () => {
    const property = fc.property(rowParts, fc.nat(50), (parts, at) => {
      const blocks = encodeBlocks(parts)
      const expected = encodeRow(parts.clock, blocks, parts.token)
      const inPlace = parts.values.map((value, index) =>
        value.tombstone ? (blocks[index] as Buffer) : value,
      )
      const target = Buffer.alloc(at + expected.length + 9, 0xaa)
      const end = writeRow(target, at, parts.clock, inPlace, parts.token)
      return (
        end === at + rowByteLength(parts.clock, inPlace) &&
        target.subarray(at, end).equals(expected) &&
        target.subarray(0, at).every((byte) => byte === 0xaa) &&
        target.subarray(end).every((byte) => byte === 0xaa)
      )
    })
    fc.assert(property, settings)
  },
)

t.test(
  'ST14 a block has the length that is foretold, and carries over byte for byte',
  async (t) => {
    const property = fc.property(rowParts, (parts) => {
      const blocks = encodeBlocks(parts)
      const lengths = parts.values.every(
        (value, index) => value.tombstone || valueBlockByteLength(value) === blocks[index]?.length,
      )
      return lengths && Buffer.concat(rowBlocks(rowOf(parts))).equals(Buffer.concat(blocks))
    })
    t.doesNotThrow(() => fc.assert(property, settings))
  },
)

/** Every change of one byte, in a row of several values. */
t.test('ST15 a change of any single byte is found', async (t) => {
  const row = rowOf(sample)
  let unseen = 0
  for (let at = 0; at < row.length; at++) {
    for (let flip = 1; flip < 256; flip++) {
      const changed = Buffer.from(row)
      changed[at] = (changed[at] as number) ^ flip
      if (verifyRow(changed, sample.token) === 'ok') unseen++
    }
  }
  t.equal(unseen, 0, `${row.length * 255} changes`)
})

t.test('ST15 every cut and every addition is found, and so is the wrong key', async (t) => {
  const property = fc.property(rowParts, fc.nat(2 ** 31), (parts, salt) => {
    const row = rowOf(parts)
    for (let length = 0; length < row.length; length++) {
      if (verifyRow(row.subarray(0, length), parts.token) === 'ok') return false
    }
    const longer = Buffer.concat([row, Buffer.alloc(1 + (salt % 64), salt)])
    const otherToken = parts.token ^ BigInt(1 + salt)
    return verifyRow(longer, parts.token) !== 'ok' && verifyRow(row, otherToken) !== 'ok'
  })
  t.doesNotThrow(() => fc.assert(property, { ...settings, numRuns: 100 }))
})

t.test('ST15 values that changed places, and values that are missing, are found', async (t) => {
  const blocks = encodeBlocks(sample)
  const [first, second] = blocks as [Buffer, Buffer]
  const damaged = (parts: Buffer[]): string => {
    const check = verifyRow(encodeRow(sample.clock, parts, sample.token), sample.token)
    return check === 'ok' ? 'ok' : check.damaged
  }
  t.match(damaged([second, first]), /out of order/)
  t.match(damaged([first, first]), /out of order/)
  const row = rowOf(sample)
  t.match(verifyRow(row.subarray(0, row.length - second.length), sample.token), {
    damaged: /value 2 of 2 is cut off/,
  })
})

t.test('ST15 what a checksum would pass is judged too', async (t) => {
  const reseal = (block: Buffer, change: (block: Buffer) => Buffer): Buffer => {
    const changed = change(Buffer.from(block))
    changed.writeBigUInt64BE(hash64(changed.subarray(0, -8), sample.token), changed.length - 8)
    return changed
  }
  const [deleted, value] = encodeBlocks(sample) as [Buffer, Buffer]
  const reasonFor = (block: Buffer): unknown =>
    verifyRow(encodeRow(sample.clock, [block], sample.token), sample.token)
  const set = (at: number, byte: number) => (block: Buffer) => {
    block[at] = byte
    return block
  }
  t.match(reasonFor(reseal(value, set(16, 2))), { damaged: /unknown flags/ })
  t.match(reasonFor(reseal(value, set(16, 1))), { damaged: /a delete with a body/ })
  t.match(reasonFor(reseal(deleted, set(16, 0))), { damaged: /no room for its content type/ })
  t.match(reasonFor(reseal(value, set(46, 200))), { damaged: /a content type longer/ })
  t.match(reasonFor(reseal(value, set(57, 200))), { damaged: /a content encoding longer/ })
})

t.test('ST2 a row of a later format is told apart from damage', async (t) => {
  const row = rowOf(sample)
  row[2] = 2
  t.match(verifyRow(row, sample.token), { code: 'SHOAL_STORE_NEWER', damaged: /format 2/ })
  row[2] = 0
  t.match(verifyRow(row, sample.token), { code: 'SHOAL_ROW_DAMAGED' })
})

/**
 * Whether a reader of rows ends well on these bytes: with a result or with the error for damage.
 */
function endsWell(read: () => unknown): boolean {
  try {
    read()
    return true
  } catch (error) {
    return (error as { code?: string }).code === 'SHOAL_ROW_DAMAGED'
  }
}

t.test('ST15 no bytes, however strange, make a reader throw or read outside', async (t: Test) => {
  const random = createSeededRandom(`garbage ${SEED}`)
  const sampleRow = rowOf(sample)
  let accepted = 0
  for (let run = 0; run < 20_000; run++) {
    const length = random.below(200)
    // In front of and behind the bytes lies something else, as in a pooled buffer.
    const pool = Buffer.from(random.bytes(length + 40))
    const bytes = pool.subarray(20, 20 + length)
    if (run % 2 === 0) sampleRow.copy(bytes, 0, 0, random.below(sampleRow.length))
    if (run % 4 === 1 && length > 12) bytes.write('SR\x01\0', 0, 'latin1')
    if (verifyRow(bytes, sample.token) === 'ok') accepted++
    if (!endsWell(() => rowVersion(bytes)) || !endsWell(() => rowBlocks(bytes)))
      t.fail(bytes.toString('hex'))
    if (decodeStoredVersion(bytes, sample.token)) accepted++
  }
  t.equal(accepted, 0)
})

t.test('ST13 a stored version comes back, and no change to it passes', async (t) => {
  const property = fc.property(
    rowParts,
    fc.nat(),
    fc.integer({ min: 1, max: 255 }),
    (parts, place, flip) => {
      const stored = encodeStoredVersion(parts.version, parts.token)
      if (!decodeStoredVersion(stored, parts.token)?.equals(parts.version)) return false
      for (let length = 0; length < stored.length; length++) {
        if (decodeStoredVersion(stored.subarray(0, length), parts.token)) return false
      }
      const changed = Buffer.from(stored)
      const at = place % changed.length
      changed[at] = (changed[at] as number) ^ flip
      return (
        decodeStoredVersion(changed, parts.token) === undefined &&
        decodeStoredVersion(stored, parts.token + 1n) === undefined
      )
    },
  )
  t.doesNotThrow(() => fc.assert(property, settings))
})

t.test('ST13 a version without a live entry is not stored', async (t) => {
  const version = Buffer.from('00000000' + '0000', 'hex')
  t.equal(decodeStoredVersion(encodeStoredVersion(version, 1n), 1n), undefined)
})

t.test('ST14 wrong parts are a bug and are not written', async (t) => {
  const value = {
    header: Buffer.alloc(41),
    contentType: '',
    contentEncoding: '',
    body: Buffer.alloc(0),
  }
  const encode = (change: Partial<typeof value>) => () =>
    encodeValueBlock({ ...value, ...change }, 1n)
  t.throws(encode({ header: Buffer.alloc(40) }), /a live header has its size/)
  t.throws(encode({ contentType: 'x'.repeat(257) }), /a content type was bounded/)
  t.throws(encode({ contentEncoding: 'x'.repeat(256) }), /a content encoding fits/)
  t.throws(() => encodeRow(Buffer.alloc(4), [], 1n), /at least one value/)
  t.throws(() => encodeRow(Buffer.alloc(5), [value], 1n), /exactly its clock/)
})
