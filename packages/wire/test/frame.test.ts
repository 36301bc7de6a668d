import { limits } from '@shoal/kernel'
import t from 'tap'
import {
  FrameDecoder,
  FrameWriter,
  frameBodyBytesMax,
  frameTypes,
  referencedBodyBytesMin,
} from '../src/index.ts'
import { collector, decode, encode } from './frames.ts'

const question = {
  type: frameTypes.question,
  kind: 7,
  id: 0xfedcba98,
  epoch: 0xffffffff,
  timeout: 2_000,
  body: 'a row',
}
const traced = { ...question, type: frameTypes.tracedQuestion, trace: 'trac' }
const answer = { type: frameTypes.answer, kind: 200, id: 3, body: '' }

t.test('the bytes of a question are these', (t) => {
  const bytes = encode([question])
  t.equal(bytes.toString('hex'), '000000130107fedcba98ffffffff000007d06120726f77')
  t.end()
})

t.test('WM6: the bytes of a traced question are these', (t) => {
  const bytes = encode([traced])
  t.equal(
    bytes.toString('hex'),
    '000000190807fedcba98ffffffff000007d00004' + '74726163' + '6120726f77',
  )
  t.end()
})

t.test('what was written is read, in order', (t) => {
  const { seen, reason } = decode([encode([question, answer, traced, question])])
  t.equal(reason, undefined)
  t.same(seen, [question, answer, traced, question])
  t.end()
})

t.test('a stream may be cut at every position', (t) => {
  const bytes = encode([question, answer, { ...answer, body: 'x'.repeat(100) }, question])
  const whole = decode([bytes]).seen
  for (let first = 0; first <= bytes.length; first++) {
    for (let second = first; second <= bytes.length; second += 7) {
      const { seen } = decode([
        bytes.subarray(0, first),
        bytes.subarray(first, second),
        bytes.subarray(second),
      ])
      if (JSON.stringify(seen) !== JSON.stringify(whole)) t.fail(`cut at ${first}, ${second}`)
    }
  }
  const single = decode([...bytes].map((byte) => Buffer.from([byte])))
  t.same(single.seen, whole, 'one byte at a time')
  t.end()
})

t.test('a frame inside one chunk is a view, a straddling one is copied once', (t) => {
  const bytes = encode([question, question])
  const handler = collector()
  const decoder = new FrameDecoder(handler, 1_000)
  decoder.push(bytes.subarray(0, bytes.length - 1))
  t.equal(handler.bodies[0]?.buffer, bytes.buffer, 'the first lies in the chunk')
  t.equal(decoder.held, bytes.length / 2 - 4 - 1, 'the second is held without its length')
  decoder.push(bytes.subarray(bytes.length - 1))
  t.same(handler.seen, [question, question])
  t.not(handler.bodies[1]?.byteOffset, bytes.byteOffset + bytes.length / 2 + 18)
  t.equal(decoder.held, 0)
  t.end()
})

t.test('malformed streams end with a reason', (t) => {
  const length = (bytes: number) => Buffer.from([0, 0, bytes >> 8, bytes & 0xff])
  const cases: [string, Buffer, RegExp][] = [
    [
      'shorter than a header',
      Buffer.concat([length(5), Buffer.alloc(5)]),
      /shorter than its header/,
    ],
    ['over the bound', Buffer.concat([length(997), Buffer.alloc(4)]), /996 are allowed/],
    ['an unknown type', Buffer.concat([length(6), Buffer.from([99, 0, 0, 0, 0, 1])]), /type 99/],
    ['type 0', Buffer.concat([length(6), Buffer.alloc(6)]), /type 0/],
    ['a short question', Buffer.concat([length(6), Buffer.from([1, 0, 0, 0, 0, 1])]), /header/],
    [
      'a traced question without its header',
      Buffer.concat([length(15), Buffer.from([8]), Buffer.alloc(14)]),
      /header/,
    ],
    [
      'a traced question without a trace',
      Buffer.concat([length(17), Buffer.from([8]), Buffer.alloc(16)]),
      /without its trace/,
    ],
    [
      'a trace that ends behind its frame',
      Buffer.concat([length(17), Buffer.from([8]), Buffer.alloc(14), Buffer.from([2, 0])]),
      /without its trace/,
    ],
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\n'), /are allowed/],
  ]
  for (const [name, bytes, expected] of cases) {
    for (const chunks of [[bytes], [...bytes].map((byte) => Buffer.from([byte]))]) {
      const { seen, reason, decoder } = decode(chunks, 1_000)
      t.match(reason, expected, name)
      t.same(seen, [], `${name}: nothing is handed on`)
      t.equal(decoder.held, 0, `${name}: nothing is kept`)
      t.match(decoder.push(encode([answer])), expected, `${name}: and it stays so`)
    }
  }
  t.end()
})

t.test('a length over the bound allocates nothing', (t) => {
  const before = process.memoryUsage().arrayBuffers
  const { reason, decoder } = decode(
    [Buffer.from([0xff, 0xff, 0xff, 0xff])],
    limits.peerFrameBytesMax,
  )
  t.ok(reason)
  t.equal(decoder.held, 0)
  t.ok(process.memoryUsage().arrayBuffers - before < 1_000_000)
  t.end()
})

t.test('a stopped decoder hands on nothing more, also from inside the handler', (t) => {
  const handler = collector()
  const decoder = new FrameDecoder(handler, 1_000)
  const { onQuestion } = handler
  handler.onQuestion = (...question) => {
    onQuestion(...question)
    decoder.stop()
  }
  decoder.push(encode([question, question]))
  t.equal(handler.seen.length, 1)
  decoder.push(encode([question]))
  t.equal(handler.seen.length, 1)
  t.end()
})

t.test('the handler may be exchanged and the bound raised between two frames of a chunk', (t) => {
  const later = collector()
  const decoder = new FrameDecoder(
    {
      onQuestion: () => t.fail('no question first'),
      onFrame: () => {
        decoder.handler = later
        decoder.bound = 1_000
      },
    },
    20,
  )
  const large = { ...question, body: 'x'.repeat(500) }
  decoder.push(encode([answer, large]))
  t.same(later.seen, [large])
  t.end()
})

t.test('a turn of small frames is one piece, and its buffer is used again', (t) => {
  const writer = new FrameWriter()
  writer.frame(frameTypes.ping, 0, 1)
  writer.question(1, 2, 3, 4, Buffer.from('x'))
  t.equal(writer.pending, 10 + 19)
  const [first, ...rest] = writer.pieces()
  t.same(rest, [])
  writer.taken()
  t.equal(writer.pending, 0)
  writer.frame(frameTypes.ping, 0, 1)
  t.equal(writer.pieces()[0]?.buffer, first?.buffer)
  writer.handedOver()
  writer.frame(frameTypes.ping, 0, 1)
  t.not(writer.pieces()[0]?.buffer, first?.buffer, 'not while the socket still holds it')
  t.end()
})

t.test('a large body is referenced, not copied, and keeps its place', (t) => {
  const writer = new FrameWriter()
  const body = Buffer.alloc(referencedBodyBytesMin, 'b')
  writer.frame(frameTypes.answer, 0, 1, Buffer.from('before'))
  writer.frame(frameTypes.answer, 0, 2, body)
  writer.frame(frameTypes.answer, 0, 3, Buffer.from('after'))
  const pieces = writer.pieces()
  t.equal(pieces[1], body)
  t.equal(pieces.length, 3)
  const { seen } = decode([Buffer.concat(pieces)])
  t.same(
    seen.map(({ id, body }) => [id, body.length]),
    [
      [1, 6],
      [2, body.length],
      [3, 5],
    ],
  )
  t.end()
})

t.test('a turn that outgrows its buffer keeps every frame', (t) => {
  const writer = new FrameWriter()
  for (let id = 0; id < 1_000; id++) writer.frame(frameTypes.answer, 0, id, Buffer.alloc(1_024, id))
  t.equal(writer.pending, 1_000 * 1_034)
  const { seen } = decode([Buffer.concat(writer.pieces())])
  t.same(
    seen.map(({ id }) => id),
    Array.from({ length: 1_000 }, (_, id) => id),
  )
  writer.taken()
  writer.shrink()
  writer.frame(frameTypes.answer, 0, 5)
  t.ok(
    (writer.pieces()[0]?.buffer.byteLength ?? 0) <= 16_384,
    'memory of a busy time is given back',
  )
  t.end()
})

t.test('a body over the bound is a bug of the caller', (t) => {
  const body = { length: frameBodyBytesMax + 1 } as Uint8Array
  t.throws(() => new FrameWriter().frame(frameTypes.answer, 0, 1, body), {
    name: 'InvariantViolation',
  })
  t.end()
})
