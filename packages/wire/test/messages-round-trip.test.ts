import assert from 'node:assert/strict'
import { InvariantViolation, limits, millis, ShoalError } from '@shoal/kernel'
import fc from 'fast-check'
import t from 'tap'
import {
  decodeForwardedAnswer,
  decodeForwardedWrite,
  decodeList,
  decodeRefusal,
  encodeForwardedAnswer,
  encodeForwardedWrite,
  encodeList,
  encodeRead,
  type ForwardedWrite,
  readFlags,
  writeMergeHeader,
} from '../src/index.ts'
import { codecs, comparable, holds, seed } from './messages.ts'
import { writes } from './messages-arbitraries.ts'

t.comment(`seed ${seed}`)

for (const each of codecs) {
  each(({ name, messages, encode, decode }) => {
    t.test(`WM1: a ${name} arrives as it was sent`, async (t) => {
      const property = fc.property(messages, (message) => {
        assert.deepEqual(comparable(decode(encode(message))), comparable(message))
      })
      t.ok(holds(property, 500))
    })
  })
}

const sample = fc.sample(writes, { seed, numRuns: 1 })[0] as ForwardedWrite

t.test('WM2: a key that would arrive as another is not sent', async (t) => {
  for (const key of ['\ud800', 'a\udc00b', '\udc00\ud800']) {
    t.throws(() => encodeForwardedWrite({ ...sample, key }), InvariantViolation)
  }
  const pair = decodeForwardedWrite(encodeForwardedWrite({ ...sample, key: '\u{1f41f}' }))
  t.equal(pair.key, '\u{1f41f}')
})

t.test('half a surrogate pair in a text that names nothing arrives as U+FFFD', async (t) => {
  const error = new ShoalError('SHOAL_BODY_INVALID', 'a \ud800', {
    got: '\udfff',
    wanted: '\ufeffx',
  })
  const arrived = decodeForwardedAnswer(encodeForwardedAnswer(error))
  t.match(arrived, { message: 'a \ufffd', details: { got: '\ufffd', wanted: '\ufeffx' } })
  const list = { bucket: 'b', prefix: '\ud800', after: '', limit: 1, partitions: Buffer.alloc(1) }
  t.equal(decodeList(encodeList(list)).prefix, '\ufffd')
})

t.test('a number that is none arrives as its name where a client may have sent it', async (t) => {
  const details = { wanted: Number.POSITIVE_INFINITY, got: Number.NaN }
  const error = new ShoalError('SHOAL_TTL_INVALID', '', details)
  const arrived = decodeForwardedAnswer(encodeForwardedAnswer(error))
  t.match(arrived, { details: { wanted: 'Infinity', got: 'NaN' } })
})

t.test('WM2: numbers that do not fit are bugs here, not other numbers there', async (t) => {
  const strict = false
  for (const r of [256, -1, 1.5, Number.NaN]) {
    const consistency = { level: 'one' as const, r, strict }
    t.throws(() => encodeForwardedWrite({ ...sample, consistency }), InvariantViolation, `r=${r}`)
  }
  for (const r of [0, 254, 255]) {
    const consistency = { level: 'one' as const, r, strict }
    t.equal(
      decodeForwardedWrite(encodeForwardedWrite({ ...sample, consistency })).consistency?.r,
      r,
    )
  }
  const list = { bucket: 'b', prefix: '', after: '', limit: 2 ** 32, partitions: Buffer.alloc(1) }
  t.throws(() => encodeList(list), InvariantViolation)
})

const faults: readonly Partial<ForwardedWrite>[] = [
  { bucket: '' },
  { bucket: 'a'.repeat(limits.bucketNameBytesMax + 1) },
  { bucket: 'a\0b' },
  { key: '' },
  { key: 'k'.repeat(limits.keyBytesMax + 1) },
  { key: 'ü'.repeat(limits.keyBytesMax / 2 + 1) },
  { contentType: 'text/plain\r\nSet-Cookie: a' },
  { contentType: 'text/☃' },
  { contentType: 'a'.repeat(limits.contentTypeBytesMax + 1) },
  { contentEncoding: 'gzip\n' },
  { contentEncoding: 'a'.repeat(limits.contentEncodingBytesMax + 1) },
  { timeout: millis(0) },
  { timeout: millis(-1) },
  { ttl: -1 },
  { ttl: 0.5 },
  { ttl: limits.ttlSecondsMax + 1 },
  { body: Buffer.alloc(limits.valueBytesMax + 1) },
]

t.test('WM2: a write that the edge should have refused does not leave', async (t) => {
  for (const fault of faults) {
    const write = { ...sample, ...fault }
    t.throws(() => encodeForwardedWrite(write), InvariantViolation, Object.keys(fault).join())
  }
})

t.test('the largest write fits', async (t) => {
  const write: ForwardedWrite = {
    ...sample,
    bucket: 'a'.repeat(limits.bucketNameBytesMax),
    key: 'ü'.repeat(limits.keyBytesMax / 2),
    contentType: 'ü'.repeat(limits.contentTypeBytesMax),
    contentEncoding: 'a'.repeat(limits.contentEncodingBytesMax),
    ttl: limits.ttlSecondsMax,
    body: Buffer.alloc(limits.valueBytesMax, 7),
  }
  const arrived = decodeForwardedWrite(encodeForwardedWrite(write))
  t.ok(arrived.body.equals(write.body))
  t.same({ ...arrived, body: 0 }, { ...write, body: 0 })
})

t.test(
  'WM2: flags stand in their table, row keys fit their length, digests have 8 bytes',
  async (t) => {
    const key = Buffer.from('key')
    const message = Buffer.alloc(70_000)
    t.throws(() => writeMergeHeader(message, 8, key), InvariantViolation)
    t.throws(() => writeMergeHeader(message, 256, key), InvariantViolation)
    t.throws(() => writeMergeHeader(message, 0, Buffer.alloc(0)), InvariantViolation)
    t.throws(() => writeMergeHeader(message, 0, Buffer.alloc(65_536)), InvariantViolation)
    t.throws(() => encodeRead(16, undefined, key), InvariantViolation)
    t.throws(() => encodeRead(readFlags.digest, undefined, key), InvariantViolation)
    t.throws(() => encodeRead(0, Buffer.alloc(7), key), InvariantViolation)
    t.throws(() => encodeRead(0, undefined, Buffer.alloc(0)), InvariantViolation)
  },
)

t.test('WM4: a refusal for a reason we do not know is a refusal', async (t) => {
  const unknown = ['SHOAL_OF_TOMORROW', '', '__proto__', 'toString', 'shoal_internal', '\xff\0']
  for (const reason of unknown) {
    t.equal(decodeRefusal(Buffer.from(reason, 'latin1')), 'SHOAL_INTERNAL', reason)
  }
  t.equal(decodeRefusal(Buffer.alloc(1_000_000, 'A')), 'SHOAL_INTERNAL', 'however long')
  t.equal(decodeRefusal(Buffer.from('SHOAL_OVERLOADED')), 'SHOAL_OVERLOADED')
})

t.test('WM4: a problem we do not know is one of which nothing is known', async (t) => {
  const details = { outcome: 'not-applied' as const, wanted: 3 }
  const known = encodeForwardedAnswer(new ShoalError('SHOAL_OVERLOADED', 'No.', details))
  const bytes = Buffer.from(known.toString('latin1').replace('OVERLOADED', 'TOMORROW_S'), 'latin1')
  const error = decodeForwardedAnswer(bytes)
  t.match(error, { code: 'SHOAL_INTERNAL', message: 'SHOAL_TOMORROW_S: No.', details })
})

t.test('names of objects are names like others', async (t) => {
  const extra = Object.fromEntries([
    ['__proto__', 'p'],
    ['constructor', 'c'],
  ])
  const error = new ShoalError('SHOAL_INTERNAL', '', { extra })
  const arrived = decodeForwardedAnswer(encodeForwardedAnswer(error)) as ShoalError
  t.same(Object.entries(arrived.details.extra ?? {}), Object.entries(extra))
  t.equal(({} as Record<string, unknown>).p, undefined)
})
