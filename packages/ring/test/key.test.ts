import { type Partition, partition } from '@shoal/kernel'
import fc from 'fast-check'
import t from 'tap'
import {
  checkRowKey,
  hash64,
  makeRowKey,
  partitionOfRowKey,
  partitionRange,
  type RowRange,
  rowKeyName,
  segmentOfRowKey,
  segmentRange,
  splitName,
  tokenHex,
  tokenOf,
} from '../src/index.ts'

const bucket = fc.stringMatching(/^[A-Za-z0-9._-]{1,128}$/)
const key = fc.string({ unit: 'binary', minLength: 1, maxLength: 100 })
const partitions = fc.constantFrom(8, 64, 128, 256, 512, 1_024, 4_096)
const options = { seed: 20_071_014, numRuns: 1_000 }

const within = (rowKey: Buffer, { from, to }: RowRange): boolean =>
  Buffer.compare(from, rowKey) <= 0 && (to === undefined || Buffer.compare(rowKey, to) < 0)

t.test('R2: a row key is the hash of its name, then the name', async (t) => {
  const rowKey = makeRowKey('carts', 'a/ b\0ü')
  const name = Buffer.from('carts\0a/ b\0ü')
  t.same(rowKeyName(rowKey), name)
  t.equal(rowKey.readBigUInt64BE(0), hash64(name))
  t.equal(tokenOf(rowKey), hash64(name))
  t.equal(tokenHex(rowKey), rowKey.toString('hex', 0, 8))
  t.equal(rowKeyName(rowKey).buffer, rowKey.buffer, 'the name is a view')
})

t.test('R2: short, long, plain and other names are written alike', async (t) => {
  for (const key of [
    'k',
    'k'.repeat(62),
    'k'.repeat(63),
    'k'.repeat(64),
    'ü',
    'kü',
    '\0',
    '\u007f\u0080',
  ]) {
    const name = Buffer.from(`b\0${key}`)
    const rowKey = makeRowKey('b', key)
    t.same(rowKeyName(rowKey), name)
    t.equal(tokenOf(rowKey), hash64(name))
  }
})

t.test('R2: bucket and key come back from any name, zero bytes in the key included', async (t) => {
  fc.assert(
    fc.property(bucket, key, (bucket, key) => {
      const rowKey = makeRowKey(bucket, key)
      const back = splitName(rowKeyName(rowKey))
      return back.bucket === bucket && back.key === key && checkRowKey(rowKey)
    }),
    options,
  )
  t.pass('1,000 names')
})

t.test('R2: two different names never share a row key', async (t) => {
  fc.assert(
    fc.property(bucket, key, bucket, key, (bucketA, keyA, bucketB, keyB) => {
      const same = bucketA === bucketB && keyA === keyB
      return makeRowKey(bucketA, keyA).equals(makeRowKey(bucketB, keyB)) === same
    }),
    options,
  )
  t.notSame(makeRowKey('a', 'b\0c'), makeRowKey('a.b', 'c'))
  t.pass('1,000 pairs')
})

t.test('R3 (M2): a stray or damaged row key is refused', async (t) => {
  fc.assert(
    fc.property(
      bucket,
      key,
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      (bucket, key, at, flip) => {
        const rowKey = makeRowKey(bucket, key)
        const place = at % rowKey.length
        rowKey[place] = rowKey[place]! ^ flip
        return !checkRowKey(rowKey)
      },
    ),
    options,
  )
  const withToken = (name: string): Buffer => {
    const bytes = Buffer.from(`--------${name}`)
    bytes.writeBigUInt64BE(hash64(bytes.subarray(8)))
    return bytes
  }
  t.equal(checkRowKey(withToken('a\0b')), true)
  t.equal(checkRowKey(withToken('no separator')), false)
  t.equal(checkRowKey(withToken('\0no bucket')), false)
  t.equal(checkRowKey(Buffer.alloc(8)), false)
  t.equal(checkRowKey(Buffer.alloc(0)), false)
})

t.test('R4: partition and segment are the top bits of the token', async (t) => {
  fc.assert(
    fc.property(bucket, key, partitions, (bucket, key, partitions) => {
      const rowKey = makeRowKey(bucket, key)
      const bits = BigInt(Math.log2(partitions))
      const token = tokenOf(rowKey)
      return (
        BigInt(partitionOfRowKey(rowKey, partitions)) === token >> (64n - bits) &&
        BigInt(segmentOfRowKey(rowKey, partitions)) === (token >> (54n - bits)) % 1_024n
      )
    }),
    options,
  )
  t.pass('1,000 keys')
})

t.test('R4: a row lies in the range of its partition and segment, and in no other', async (t) => {
  fc.assert(
    fc.property(bucket, key, partitions, fc.nat(), (bucket, key, partitions, other) => {
      const rowKey = makeRowKey(bucket, key)
      const own = partitionOfRowKey(rowKey, partitions)
      const segment = segmentOfRowKey(rowKey, partitions)
      const elsewhere = partition(other % partitions)
      return (
        within(rowKey, partitionRange(own, partitions)) &&
        within(rowKey, segmentRange(own, segment, partitions)) &&
        within(rowKey, partitionRange(elsewhere, partitions)) === (elsewhere === own) &&
        within(rowKey, segmentRange(own, other % 1_024, partitions)) === (other % 1_024 === segment)
      )
    }),
    options,
  )
  t.pass('1,000 keys')
})

t.test('R4: ranges follow each other without a gap and end with the ring', async (t) => {
  for (const partitions of [8, 256, 4_096]) {
    let end: Buffer | undefined = Buffer.alloc(8)
    for (let index = 0; index < partitions; index++) {
      const { from, to } = partitionRange(index as Partition, partitions)
      if (!end?.equals(from)) t.fail(`a gap before partition ${index} of ${partitions}`)
      const first = segmentRange(index as Partition, 0, partitions)
      const last = segmentRange(index as Partition, 1_023, partitions)
      if (!first.from.equals(from)) t.fail(`segment 0 begins elsewhere in partition ${index}`)
      if (Buffer.compare(last.to ?? Buffer.alloc(0), to ?? Buffer.alloc(0)) !== 0) {
        t.fail(`segment 1,023 ends elsewhere in partition ${index}`)
      }
      end = to
    }
    t.equal(end, undefined, `${partitions} partitions end with the ring`)
  }
})

t.test('what is no partition, segment or row key is a bug', async (t) => {
  const rowKey = makeRowKey('b', 'k')
  t.throws(() => partitionOfRowKey(rowKey, 100), /power of two/)
  t.throws(() => partitionOfRowKey(rowKey, 8_192), /power of two/)
  t.throws(() => partitionOfRowKey(Buffer.alloc(3), 256), /begins with its token/)
  t.throws(() => partitionRange(partition(256), 256), /one of the ring/)
  t.throws(() => segmentRange(partition(0), 1_024, 256), /one of the partition/)
  t.throws(() => rowKeyName(Buffer.alloc(8)), /longer than its token/)
  t.throws(() => splitName(Buffer.from('name')), /a zero byte/)
  t.throws(() => tokenOf(Buffer.alloc(7)), /begins with its token/)
})

t.test('plain byte arrays serve as well as buffers', async (t) => {
  const rowKey = makeRowKey('b', 'k')
  const padded = new Uint8Array([9, 9, ...rowKey, 9])
  const view = padded.subarray(2, padded.length - 1)
  t.equal(checkRowKey(view), true)
  t.equal(tokenOf(view), tokenOf(rowKey))
  t.same(splitName(rowKeyName(view)), { bucket: 'b', key: 'k' })
})
