import assert from 'node:assert/strict'
import { limits } from '@shoal/kernel'
import fc from 'fast-check'
import t from 'tap'
import {
  ByteWriter,
  decodeForwardedWrite,
  decodeMerge,
  decodeRead,
  decodeStandIn,
  encodeForwardedWrite,
} from '../src/index.ts'
import { type Codec, codecs, comparable, decodeOrRefuse, holds, seed } from './messages.ts'

t.comment(`seed ${seed}`)

/** What was taken for a message is one: our own encoder writes it, and it arrives as it was. */
function isMessage<T>(codec: Codec<T>, message: T): void {
  const again = codec.decode(codec.encode(message))
  assert.deepEqual(comparable(again), comparable(message))
}

function survives<T>(codec: Codec<T>, body: Buffer): 'message' | 'refused' {
  const message = decodeOrRefuse(codec, body)
  if (message === undefined) return 'refused'
  isMessage(codec, message)
  return 'message'
}

/** Longer ones only repeat what shorter ones show, at every offset. */
const BYTES_MAX = 600

for (const each of codecs) {
  each((codec) => {
    const { name, messages, encode, openEnded } = codec
    const bodies = messages.map(encode).filter((body) => body.length <= BYTES_MAX)

    t.test(`WM3: no ${name} cut short is taken for a whole one`, async (t) => {
      const property = fc.property(bodies, (body) => {
        for (let length = 0; length < body.length; length++) {
          const verdict = survives(codec, body.subarray(0, length))
          assert.ok(openEnded || verdict === 'refused', `${length} of ${body.length} bytes`)
        }
        if (!openEnded) {
          assert.equal(survives(codec, Buffer.concat([body, Buffer.alloc(1)])), 'refused')
        }
      })
      t.ok(holds(property, 40))
    })

    t.test(`WM3: bytes of chance are no ${name}, or are one`, async (t) => {
      const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array))
      t.ok(
        holds(
          fc.property(bytes, (body) => void survives(codec, body)),
          2_000,
        ),
      )
    })

    t.test(`WM3: a damaged ${name} is none, or is another`, async (t) => {
      const damages = fc.array(fc.tuple(fc.nat(BYTES_MAX), fc.nat(255)), {
        minLength: 1,
        maxLength: 4,
      })
      const property = fc.property(bodies, damages, (body, places) => {
        const damaged = Buffer.from(body)
        for (const [at, byte] of places) if (damaged.length > 0) damaged[at % damaged.length] = byte
        survives(codec, damaged)
      })
      t.ok(holds(property, 1_000))
    })

    t.test(`WM3: lying lengths in a ${name} take no memory`, async (t) => {
      const lies = [0xffff_ffff, 0x7fff_ffff, 0x01ff_ffff]
      let most = 0
      const property = fc.property(bodies, (body) => {
        for (let at = 0; at + 4 <= body.length; at++) {
          for (const lie of lies) {
            const lying = Buffer.from(body)
            lying.writeUInt32BE(lie, at)
            const before = memory()
            decodeOrRefuse(codec, lying)
            most = Math.max(most, memory() - before)
          }
        }
      })
      t.ok(holds(property, 3))
      t.ok(most < 4 * 1_048_576, `${most} bytes, where the least lie promises 32 MiB`)
    })
  })
}

function memory(): number {
  const { arrayBuffers, heapUsed } = process.memoryUsage()
  return arrayBuffers + heapUsed
}

/** As a node would write it that checks nothing; each part may be replaced. */
function unchecked(parts: Partial<typeof sound> = {}): Buffer {
  const { operation, bucket, key, timeout, contentType, contentEncoding, ttl, body } = {
    ...sound,
    ...parts,
  }
  const writer = new ByteWriter().u8(operation).text(bucket).text(key)
  writer.u8(0).text('').raw(timeout).u8(0).text('').text('').u8(0).u8(0)
  return writer.text(contentType).text(contentEncoding).raw(ttl).bytes(body).finish()
}

function double(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleBE(value)
  return bytes
}

const sound = {
  operation: 0,
  bucket: 'b',
  key: 'k',
  timeout: double(1_000),
  contentType: 'text/plain',
  contentEncoding: '',
  ttl: double(0),
  body: Buffer.from('v'),
}

const faults: readonly Partial<typeof sound>[] = [
  { operation: 2 },
  { bucket: '' },
  { bucket: 'b'.repeat(limits.bucketNameBytesMax + 1) },
  { bucket: 'a\0b' },
  { key: '' },
  { key: 'ü'.repeat(limits.keyBytesMax / 2 + 1) },
  { timeout: double(0) },
  { timeout: double(-5) },
  { timeout: double(Number.NaN) },
  { timeout: double(Number.POSITIVE_INFINITY) },
  { contentType: 'text/plain\r\nSet-Cookie: a' },
  { contentType: 'text/☃' },
  { contentType: 'a'.repeat(limits.contentTypeBytesMax + 1) },
  { contentEncoding: '\x7f' },
  { contentEncoding: 'a'.repeat(limits.contentEncodingBytesMax + 1) },
  { ttl: double(-1) },
  { ttl: double(1.5) },
  { ttl: double(limits.ttlSecondsMax + 1) },
  { body: Buffer.alloc(limits.valueBytesMax + 1) },
]

t.test('WM3: a write that another edge should have refused is refused here', async (t) => {
  const write = decodeForwardedWrite(unchecked())
  t.same(encodeForwardedWrite(write), unchecked(), 'the sound one is as our encoder writes it')
  for (const fault of faults) {
    const body = unchecked(fault)
    t.throws(
      () => decodeForwardedWrite(body),
      { code: 'SHOAL_FRAME_INVALID' },
      Object.keys(fault).join(),
    )
  }
})

t.test('WM3: an operation we do not know is not a delete', async (t) => {
  for (let operation = 0; operation < 256; operation++) {
    const body = unchecked({ operation })
    if (operation < 2) t.equal(decodeForwardedWrite(body).operation, ['put', 'delete'][operation])
    else t.throws(() => decodeForwardedWrite(body), { code: 'SHOAL_FRAME_INVALID' })
  }
})

t.test('WM3: merges and reads without a key, a row or a known flag are refused', async (t) => {
  const refuse = (decode: (body: Buffer) => unknown, ...bodies: number[][]): void => {
    for (const body of bodies) {
      t.throws(() => decode(Buffer.from(body)), { code: 'SHOAL_FRAME_INVALID' }, `${body}`)
    }
  }
  refuse(decodeMerge, [], [0], [0, 0], [0, 0, 0], [0, 0, 0, 9], [0, 0, 1, 9], [0, 0, 2, 9, 9])
  refuse(decodeMerge, [8, 0, 1, 9, 9], [128, 0, 1, 9, 9])
  refuse(decodeStandIn, [], [0, 0, 0, 1, 9, 9], [1, 2, 0, 1, 9, 9], [1, 0, 0, 1, 9])
  refuse(decodeRead, [], [0], [1], [1, 1, 2, 3, 4, 5, 6, 7, 8], [16, 9], [128, 9])
  t.match(decodeMerge(Buffer.from([7, 0, 1, 8, 9])), { flags: 7, rowKey: { 0: 8 }, row: { 0: 9 } })
  t.match(decodeRead(Buffer.from([14, 9])), { flags: 14, digest: undefined, rowKey: { 0: 9 } })
})
