import { InvariantViolation, type ShoalError } from '@shoal/kernel'
import t from 'tap'
import { ByteReader, ByteWriter } from '../src/index.ts'

const malformed = { name: 'ShoalError', code: 'SHOAL_FRAME_INVALID' }
const reader = (...bytes: number[]): ByteReader => new ByteReader(Buffer.from(bytes))
const hex = (writer: ByteWriter): string => writer.finish().toString('hex')
const text = (...bytes: number[]): ByteReader => reader(0, 0, 0, bytes.length, ...bytes)

t.test('numbers are big-endian', async (t) => {
  const writer = new ByteWriter().u8(1).u16(0x0203).u32(0x0405_0607).f64(1)
  t.equal(hex(writer), '010203040506073ff0000000000000')
  const read = new ByteReader(writer.finish())
  t.same([read.u8(), read.u16(), read.u32(), read.f64()], [1, 0x0203, 0x0405_0607, 1])
  t.equal(read.rest, 0)
  read.end()
})

t.test('WM2: what does not fit its bytes is not written', async (t) => {
  for (const value of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    t.throws(() => new ByteWriter().u8(value), InvariantViolation)
    t.throws(() => new ByteWriter().u16(value), InvariantViolation)
    t.throws(() => new ByteWriter().u32(value), InvariantViolation)
  }
  t.throws(() => new ByteWriter().u8(2 ** 8), InvariantViolation)
  t.throws(() => new ByteWriter().u16(2 ** 16), InvariantViolation)
  t.throws(() => new ByteWriter().u32(2 ** 32), InvariantViolation)
  t.equal(
    hex(
      new ByteWriter()
        .u8(255)
        .u16(65_535)
        .u32(2 ** 32 - 1),
    ),
    'ff'.repeat(7),
  )
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    t.throws(() => new ByteWriter().f64(value), InvariantViolation)
  }
  t.throws(() => new ByteWriter().choice(['a', 'b'], 'c'), InvariantViolation)
})

t.test('WM3: numbers that are none are malformed', async (t) => {
  t.throws(() => reader(0x7f, 0xf8, 0, 0, 0, 0, 0, 0).f64(), malformed, 'NaN')
  t.throws(() => reader(0x7f, 0xf0, 0, 0, 0, 0, 0, 0).f64(), malformed, 'Infinity')
  t.throws(() => reader(0xff, 0xf0, 0, 0, 0, 0, 0, 0).f64(), malformed, '-Infinity')
})

t.test('a flag is 0 or 1, a choice one of its options', async (t) => {
  t.equal(hex(new ByteWriter().flag(true).flag(false).choice(['a', 'b'], 'b')), '010001')
  t.same([reader(0).flag(), reader(1).flag()], [false, true])
  t.throws(() => reader(2).flag(), malformed)
  t.equal(reader(1).choice(['a', 'b']), 'b')
  t.throws(() => reader(2).choice(['a', 'b']), malformed)
  t.throws(() => reader(2).optional(() => 0), malformed)
  t.equal(
    reader(0).optional(() => 7),
    undefined,
  )
  t.equal(
    reader(1, 7).optional(() => 7),
    7,
  )
})

t.test(
  'texts are UTF-8 behind their length, byte order marks and zero bytes included',
  async (t) => {
    for (const each of ['', 'a', 'ü', '\u{1f41f}', '\ufeffa', 'a\0b', '\ufffd']) {
      const written = new ByteWriter().text(each).finish()
      t.equal(written.readUInt32BE(0), Buffer.byteLength(each))
      t.equal(new ByteReader(written).text(), each)
      t.same(new ByteWriter().name(each).finish(), written)
    }
  },
)

t.test('WM3: a text that is not UTF-8 is malformed, not another text', async (t) => {
  t.throws(() => text(0xff).text(), malformed)
  t.throws(() => text(0xc3).text(), malformed, 'half a character')
  t.throws(() => text(0xc0, 0x80).text(), malformed, 'a longer form than needed')
  t.throws(() => text(0xed, 0xa0, 0x80).text(), malformed, 'half a surrogate pair')
  t.throws(() => text(0xf4, 0x90, 0x80, 0x80).text(), malformed, 'beyond Unicode')
})

t.test('WM2: half a surrogate pair is replaced in a text and refused in a name', async (t) => {
  t.equal(hex(new ByteWriter().text('\ud800')), '00000003efbfbd')
  t.throws(() => new ByteWriter().name('a\ud800'), InvariantViolation)
  t.throws(() => new ByteWriter().name('\udc00a'), InvariantViolation)
})

t.test('WM3: what goes beyond the end is malformed', async (t) => {
  const reads: ((from: ByteReader) => unknown)[] = [
    (from) => from.u8(),
    (from) => from.u16(),
    (from) => from.u32(),
    (from) => from.f64(),
    (from) => from.raw(1),
    (from) => from.bytes(),
    (from) => from.text(),
    (from) => from.list(() => 0),
  ]
  for (const read of reads) t.throws(() => read(reader()), malformed)
  t.throws(() => reader(0, 0, 0, 2, 7).bytes(), malformed)
  t.throws(() => reader(0xff, 0xff, 0xff, 0xff, 7).text(), malformed)
  t.throws(() => reader(7).end(), malformed)
})

t.test('WM3: a list that cannot fit is refused before its first item is read', async (t) => {
  let read = 0
  const item = (): number => ++read
  t.throws(() => reader(0, 0, 0, 3, 1, 1).list(item), malformed)
  t.throws(() => reader(0, 0, 0, 2, 1, 1, 1, 1, 1, 1, 1).list(item, 4), malformed)
  t.throws(() => reader(0xff, 0xff, 0xff, 0xff).list(item, 8), malformed)
  t.equal(read, 0)
  const two = reader(0, 0, 0, 2, 5, 6)
  t.same(
    two.list(() => two.u8()),
    [5, 6],
  )
  two.end()
})

t.test('bytes are read as views, and the reason names the place', async (t) => {
  const body = Buffer.from([0, 0, 0, 2, 8, 9])
  const view = new ByteReader(body).bytes()
  body[4] = 7
  t.same([...view], [7, 9])
  try {
    new ByteReader(body, 4).u32()
  } catch (error) {
    t.equal(
      (error as ShoalError).message,
      'Malformed peer message: 4 bytes wanted at offset 4 of 6',
    )
  }
})

t.test('a writer grows as far as it must, and keeps what it has', async (t) => {
  for (const hint of [0, 1, 3, 256]) {
    const writer = new ByteWriter(hint)
    for (let round = 0; round < 100; round++) writer.u8(round).raw(Buffer.alloc(round, round))
    const written = writer.finish()
    t.equal(written.length, 100 + (99 * 100) / 2)
    const read = new ByteReader(written)
    for (let round = 0; round < 100; round++) {
      t.equal(read.u8(), round)
      t.ok(read.raw(round).every((byte) => byte === round))
    }
  }
})
