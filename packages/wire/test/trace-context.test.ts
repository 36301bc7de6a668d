import { limits, ShoalError } from '@shoal/kernel'
import fc from 'fast-check'
import t from 'tap'
import {
  decodeTraceContext,
  encodeTraceContext,
  formatTraceparent,
  maySample,
  parseTraceContext,
  type TraceContext,
} from '../src/index.ts'
import { holds, seed } from './messages.ts'

t.comment(`seed ${seed}`)

const trace = '4bf92f3577b34da6a3ce929d0e0e4736'
const span = '00f067aa0ba902b7'

t.test('a traceparent is read, and written as it was', async (t) => {
  const text = `00-${trace}-${span}-01`
  const context = { traceId: trace, spanId: span, sampled: true, state: '' }
  t.same(parseTraceContext(text, undefined), context)
  t.equal(formatTraceparent(context), text)
  t.match(parseTraceContext(`00-${trace}-${span}-00`, undefined), { sampled: false })
  t.match(parseTraceContext(`00-${trace}-${span}-fe`, undefined), { sampled: false })
  t.match(parseTraceContext(`00-${trace}-${span}-ff`, undefined), { sampled: true })
})

t.test('what may be recorded is seen without reading all of it', async (t) => {
  for (let flags = 0; flags < 256; flags++) {
    const text = `00-${trace}-${span}-${flags.toString(16).padStart(2, '0')}`
    t.equal(maySample(text), parseTraceContext(text, undefined)?.sampled, text)
  }
})

t.test('a later version is read as far as this one goes', async (t) => {
  t.match(parseTraceContext(`01-${trace}-${span}-01`, undefined), { traceId: trace })
  t.match(parseTraceContext(`cc-${trace}-${span}-01-what.the.future`, undefined), { spanId: span })
})

t.test('whatever else it says, it is as if it were not there', async (t) => {
  const bad = [
    '',
    '00',
    `${trace}-${span}`,
    `00-${trace}-${span}`,
    `00-${trace}-${span}-1`,
    `00-${trace}-${span}-01-x`,
    `00-${trace}-${span}-01.`,
    `cc-${trace}-${span}-01.x`,
    `cc-${trace}-${span}-011`,
    `ff-${trace}-${span}-01`,
    `0-${trace}-${span}-01`,
    `000-${trace}-${span}-01`,
    `00-${'0'.repeat(32)}-${span}-01`,
    `00-${trace}-${'0'.repeat(16)}-01`,
    `00-${trace.toUpperCase()}-${span}-01`,
    `00-${trace}-${span.toUpperCase()}-01`,
    `00-${trace}-${span}-0x`,
    `00-${trace}0-${span}-01`,
    ` 00-${trace}-${span}-01`,
    `00-${trace}-${span}-01 `,
    `00-${trace}-${span}-01\n`,
    `00-${trace}-${span}-01, 00-${trace}-${span}-01`,
    `00_${trace}_${span}_01`,
    `00-${trace}-${span}-01${'-'.repeat(30_000)}`,
  ]
  for (const text of bad) t.equal(parseTraceContext(text, 'a=1'), undefined, text.slice(0, 80))
})

t.test('a tracestate is passed on whole, or not at all', async (t) => {
  const stateOf = (state: string) => parseTraceContext(`00-${trace}-${span}-01`, state)?.state
  const many = (count: number) => Array.from({ length: count }, (_none, at) => `k${at}=v`).join(',')
  t.equal(
    stateOf('congo=t61rcWkgMzE,rojo=00f067aa0ba902b7'),
    'congo=t61rcWkgMzE,rojo=00f067aa0ba902b7',
  )
  t.equal(stateOf(' a=1 ,\t, b = '), '', 'a value ends with what is seen')
  t.equal(stateOf('a=1 ,\t,b= x'), 'a=1,b= x', 'white space around members, and empty ones')
  t.equal(stateOf('0t@s/*=a'), '0t@s/*=a', 'of a tenant')
  t.equal(stateOf(many(32)), many(32))
  const bad = ['a', 'a=', '=1', 'A=1', 'a=ü', 'a==', 'a=1,a=2', 'a b=1', '1=a', 'a@1=b', many(33)]
  bad.push(`a=${'x'.repeat(257)}`, `${'k'.repeat(257)}=1`, 'a=1\u0000', `x@${'y'.repeat(15)}=1`)
  for (const text of bad) t.equal(stateOf(text), '', text.slice(0, 40))
})

t.test('of a tracestate that is too long, long members go first, then the last', async (t) => {
  const long = `long=${'x'.repeat(200)}`
  const short = Array.from({ length: 12 }, (_none, at) => `k${at}=${'y'.repeat(40)}`)
  const { state = '' } =
    parseTraceContext(`00-${trace}-${span}-01`, [long, ...short].join(',')) ?? {}
  t.equal(state, short.slice(0, 11).join(','))
  t.ok(state.length <= limits.traceStateCharsMax)
})

t.test('its bytes between nodes are these', async (t) => {
  const context = { traceId: trace, spanId: span, sampled: true, state: 'a=1' }
  t.equal(encodeTraceContext(context).toString('hex'), `01${trace}${span}${'613d31'}`)
  t.throws(() => encodeTraceContext({ ...context, sampled: false }), { name: 'InvariantViolation' })
})

const hex = (digits: number) =>
  fc
    .uint8Array({ minLength: digits / 2, maxLength: digits / 2 })
    .map((bytes) => Buffer.from(bytes).toString('hex'))
    .filter((text) => !/^0+$/.test(text))
const contexts: fc.Arbitrary<TraceContext> = fc.record({
  traceId: hex(32),
  spanId: hex(16),
  sampled: fc.constant(true),
  state: fc
    .uniqueArray(fc.stringMatching(/^[a-z][a-z0-9_*/-]{0,9}$/), { maxLength: 10 })
    .map((keys) => keys.map((key) => `${key}=v`).join(',')),
})

t.test('WM1: it arrives as it was sent', async (t) => {
  const property = fc.property(contexts, (context) => {
    const again = decodeTraceContext(encodeTraceContext(context))
    return JSON.stringify(again) === JSON.stringify({ ...again, ...context })
  })
  t.ok(holds(property, 500))
})

t.test('WM3: other bytes are refused, or are what our own encoder writes', async (t) => {
  const flipped = fc.tuple(contexts, fc.nat(40 * 8), fc.nat(80)).map(([context, flip, length]) => {
    const bytes = encodeTraceContext(context)
    const at = flip >> 3
    if (at < bytes.length) bytes[at] = (bytes[at] as number) ^ (1 << (flip & 7))
    return bytes.subarray(0, length)
  })
  const chance = fc.uint8Array({ maxLength: 700 }).map((bytes) => Buffer.from(bytes))
  const property = fc.property(fc.oneof(flipped, chance), (bytes) => {
    try {
      return encodeTraceContext(decodeTraceContext(bytes)).equals(bytes)
    } catch (error) {
      return error instanceof ShoalError && error.code === 'SHOAL_FRAME_INVALID'
    }
  })
  t.ok(holds(property, 3_000))
})

t.test('any text may stand in the headers', async (t) => {
  const property = fc.property(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: 'binary' }),
    (one, two) => {
      parseTraceContext(one, two)
      const read = parseTraceContext(`00-${trace}-${span}-01`, two)
      return read !== undefined && decodeTraceContext(encodeTraceContext(read)).state === read.state
    },
  )
  t.ok(holds(property, 2_000))
})
