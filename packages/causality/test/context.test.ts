import { limits, ShoalError } from '@shoal/kernel'
import fc from 'fast-check'
import t from 'tap'
import { createContextCodec, emptyClock } from '../src/index.ts'
import { ACTORS, holds, SEED, someDots, someState } from './arbitraries.ts'
import { dot, encodeClock, encodeVersion, upTo } from './oracle.ts'

t.comment(`seed ${SEED}`)
const runs = { seed: SEED, numRuns: 1_000 }
const KEY = Buffer.from('0f0e0d0c0b0a09080706050403020100', 'hex')
const CLUSTER = '00112233445566ff'
const codec = createContextCodec({ key: KEY, clusterId: CLUSTER })
const nameOf = (bucket: string, key: string): Buffer => Buffer.from(`${bucket}\0${key}`)
const NAME = nameOf('carts', '42')
const CLOCK = encodeClock(new Set([...upTo(ACTORS[1]!, 3), dot(ACTORS[3]!, 7)]))

function refusal(decode: () => unknown): ShoalError {
  try {
    decode()
  } catch (error) {
    if (error instanceof ShoalError) return error
    throw error
  }
  throw new Error('was accepted')
}
const refused = (token: string, name = NAME): ShoalError => refusal(() => codec.decode(token, name))
/** A token with these bytes, and a check that was never made for them. */
const tokenOf = (bytes: Buffer): string => `c1.${bytes.toString('base64url')}`
const bytesOf = (token: string): Buffer => Buffer.from(token.slice(3), 'base64url')

t.test('a clock comes back from its token, for its own key', async (t) => {
  const someName = fc.uint8Array({ maxLength: 1_153 })
  holds(
    t,
    fc.property(someDots, someName, (dots, name) => {
      const clock = encodeClock(dots)
      return codec.decode(codec.encode(clock, name), name).clock.equals(clock)
    }),
    runs,
  )
})

t.test('the token of a version is the token of its clock', async (t) => {
  holds(
    t,
    fc.property(someState, (state) => {
      const token = codec.encode(encodeVersion(state), NAME)
      return token === codec.encode(encodeClock(state.seen), NAME)
    }),
    { ...runs, numRuns: 100 },
  )
})

t.test('a token is shell-safe, short, and the same on every node', async (t) => {
  const token = codec.encode(CLOCK, NAME)
  t.match(token, /^c1\.[A-Za-z0-9_-]+$/)
  t.equal(token.length, 3 + Math.ceil(((1 + CLOCK.length + 8) * 4) / 3))
  t.equal(
    createContextCodec({ key: Buffer.from(KEY), clusterId: CLUSTER }).encode(CLOCK, NAME),
    token,
  )
  t.equal(token, 'c1.AQABAAEAAAAAAAAA_wAAAAAAAAADgAAAAAAAAAEAAAAAAAAAB65TmiYyZabr', 'for ever')
})

t.test('a decoded clock is not overwritten by the next token', async (t) => {
  const { clock } = codec.decode(codec.encode(CLOCK, NAME), NAME)
  codec.decode(codec.encode(encodeClock(new Set(upTo(ACTORS[4]!, 9))), NAME), NAME)
  t.same(clock, CLOCK)
})

t.test('the context of a key never written is empty, bound and accepted', async (t) => {
  const token = codec.encode(emptyClock, NAME)
  t.same(codec.decode(token, NAME).clock, emptyClock)
  t.equal(refused(token, nameOf('carts', '43')).code, 'SHOAL_CONTEXT_FOREIGN')
})

t.test('a context of another key, bucket, cluster or secret is foreign (V6)', async (t) => {
  const token = codec.encode(CLOCK, NAME)
  const others = [
    refused(token, nameOf('carts', '4')),
    refused(token, nameOf('cart', 's42')),
    refused(token, nameOf('carts', '42\0')),
    refused(token, Buffer.alloc(0)),
    refusal(() =>
      createContextCodec({ key: KEY, clusterId: '00112233445566fe' }).decode(token, NAME),
    ),
    refusal(() =>
      createContextCodec({ key: Buffer.alloc(16), clusterId: CLUSTER }).decode(token, NAME),
    ),
  ]
  for (const error of others) {
    t.equal(error.code, 'SHOAL_CONTEXT_FOREIGN')
    t.match(error.message, /another key, bucket or cluster, or a damaged one/)
    t.same(
      error.details.errors?.map(({ field, offset }) => [field, offset]),
      [['Causal-Context', 0]],
    )
  }
})

t.test('any single character changed is refused', async (t) => {
  const token = codec.encode(CLOCK, NAME)
  const codes = new Set<string>()
  for (let at = 0; at < token.length; at++) {
    for (const other of 'AZaz09-_.') {
      if (token[at] === other) continue
      codes.add(refused(token.slice(0, at) + other + token.slice(at + 1)).code)
    }
  }
  t.same([...codes].sort(), ['SHOAL_CONTEXT_FOREIGN', 'SHOAL_CONTEXT_INVALID'])
})

t.test('what is malformed is refused at the place where it is', async (t) => {
  const token = codec.encode(CLOCK, NAME)
  const bytes = bytesOf(token)
  const unordered = Buffer.from(bytes)
  unordered.fill(0, 5 + 8, 5 + 16)
  const format = Buffer.from(bytes)
  format[0] = 2
  const long = `c1.${'A'.repeat(limits.contextTokenBytesMax)}`
  const wrong: [string, string, number, RegExp][] = [
    ['nothing', '', 0, /must begin with "c1\."/],
    ['another prefix', `c2.${token.slice(3)}`, 0, /must begin with "c1\."/],
    ['a session', `s1.${token.slice(3)}`, 0, /must begin with "c1\."/],
    ['a prefix alone', 'c1.', 3, /cut off/],
    ['too long', long, limits.contextTokenBytesMax, /longer than 8192/],
    ['padding', `${token}=`, token.length, /outside base64url/],
    ['plain base64', `${token.slice(0, 9)}+${token.slice(10)}`, 9, /outside base64url/],
    ['a blank', `${token.slice(0, 9)} ${token.slice(9)}`, 9, /outside base64url/],
    ['beyond ASCII', `c1.é${token.slice(4)}`, 3, /outside base64url/],
    ['one character left over', `${token}A`, token.length, /whole byte/],
    ['the end cut off', tokenOf(bytes.subarray(0, -1)), 4, /cut off/],
    ['half of it', tokenOf(bytes.subarray(0, 30)), 4, /cut off/],
    ['a few bytes', tokenOf(bytes.subarray(0, 8)), 14, /cut off/],
    ['an unknown format', tokenOf(format), 3, /format 2/],
    ['a clock out of form', tokenOf(unordered), 4, /counter/],
    [
      'bytes after the clock',
      tokenOf(Buffer.concat([bytes, bytes.subarray(0, 3)])),
      52,
      /after the clock/,
    ],
  ]
  for (const [what, text, offset, message] of wrong) {
    const error = refused(text)
    t.equal(error.code, 'SHOAL_CONTEXT_INVALID', what)
    t.match(error.details.errors, [{ field: 'Causal-Context', offset, message }], what)
  }
})

t.test('base64url has one spelling: unused bits must be zero', async (t) => {
  const token = codec.encode(emptyClock, NAME)
  t.equal(bytesOf(token).length % 3, 1, 'the last character carries two bits')
  const last = token.at(-1) as string
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const spelt = token.slice(0, -1) + alphabet[alphabet.indexOf(last) + 1]
  t.same(bytesOf(spelt), bytesOf(token), 'a lenient reader sees no difference')
  t.equal(refused(spelt).code, 'SHOAL_CONTEXT_INVALID')
})

t.test('garbage is refused, never crashes', async (t) => {
  const garbage = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc.uint8Array({ maxLength: 120 }).map((bytes) => tokenOf(Buffer.from([1, ...bytes]))),
  )
  holds(
    t,
    fc.property(garbage, (token) => refused(token).status === 400),
    { ...runs, numRuns: 3_000 },
  )
})

t.test('a clock too wide for a header makes a token all the same (V8)', async (t) => {
  for (const actors of [400, 4_000]) {
    const dots = Array.from({ length: actors }, (_none, index) =>
      dot(index.toString(16).padStart(16, '0'), 1),
    )
    const wide = encodeClock(new Set(dots))
    const token = codec.encode(wide, NAME)
    t.ok(bytesOf(token).subarray(1, -8).equals(wide), 'nothing is cut')
    t.match(refused(token).details.errors, [{ message: /longer/ }], 'refused on its way back')
  }
})

t.test('a name longer than any key is bound like another', async (t) => {
  const long = Buffer.alloc(20_000, 'k')
  const token = codec.encode(CLOCK, long)
  t.same(codec.decode(token, long).clock, CLOCK)
  t.equal(refused(token, long.subarray(1)).code, 'SHOAL_CONTEXT_FOREIGN')
})

t.test('a fault is placed within the header that carried the token', async (t) => {
  const error = refusal(() => codec.decode('c1.%', NAME, { field: 'Shoal-Session', offset: 10 }))
  t.match(error.details.errors, [{ field: 'Shoal-Session', offset: 13 }])
  t.match(error.message, /Shoal-Session at 13/)
})

t.test('secrets of the wrong size are a bug of the caller', async (t) => {
  const bug = { name: 'InvariantViolation' }
  t.throws(() => createContextCodec({ key: Buffer.alloc(8), clusterId: CLUSTER }), bug)
  t.throws(() => createContextCodec({ key: KEY, clusterId: 'abc' }), bug)
})
