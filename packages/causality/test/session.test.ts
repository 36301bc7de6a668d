import { limits, ShoalError } from '@shoal/kernel'
import fc from 'fast-check'
import t from 'tap'
import {
  createContextCodec,
  createSessionCodec,
  emptyClock,
  emptySession,
  joinIntoSession,
  raiseBase,
  type Session,
  sessionClockFor,
} from '../src/index.ts'
import { ACTORS, holds, SEED, someDots } from './arbitraries.ts'
import { type Dot, dot, encodeClock, join, upTo } from './oracle.ts'

t.comment(`seed ${SEED}`)
const secrets = { key: Buffer.alloc(16, 7), clusterId: '0123456789abcdef' }
const contexts = createContextCodec(secrets)
const codec = createSessionCodec(secrets, contexts)
const rowTokenOf = (key: number): Buffer => {
  const token = Buffer.alloc(8, 0xab)
  token.writeUInt32BE(key, 4)
  return token
}
const request = { rowToken: rowTokenOf(1), name: Buffer.from('carts\x001') }
const clockOf = (...dots: Dot[]): Buffer => encodeClock(new Set(dots))
const sessionOf = (...entries: [number, Buffer][]): Session =>
  entries.reduce(
    (session, [key, clock]) => joinIntoSession(session, rowTokenOf(key), clock),
    emptySession,
  )
const keysOf = (session: Session): number[] =>
  session.entries.map(({ rowToken }) => rowToken.readUInt32BE(4))

function refusal(header: string): ShoalError {
  try {
    codec.decode(header, request)
  } catch (error) {
    if (error instanceof ShoalError) return error
    throw error
  }
  throw new Error('was accepted')
}

t.test('a session comes back from its token, in order', async (t) => {
  const someEntries = fc.array(fc.tuple(fc.nat(20), someDots), { maxLength: 12 })
  holds(
    t,
    fc.property(someEntries, (entries) => {
      const session = sessionOf(
        ...entries.map(([key, dots]) => [key, encodeClock(dots)] as [number, Buffer]),
      )
      const back = codec.decode(codec.encode(session), request)
      return (
        String(keysOf(back)) === String(keysOf(session)) &&
        back.entries.every(({ clock }, index) => session.entries[index]?.clock.equals(clock))
      )
    }),
    { seed: SEED, numRuns: 500 },
  )
})

t.test('what a session knows of a key grows, and the key becomes its newest (S1)', async (t) => {
  const one = upTo(ACTORS[1]!, 2)
  const other = [dot(ACTORS[3]!, 4)]
  const session = sessionOf([1, clockOf(...one)], [2, clockOf(...one)], [1, clockOf(...other)])
  t.same(keysOf(session), [2, 1])
  t.same(sessionClockFor(session, rowTokenOf(1)), encodeClock(join(one, other)))
  t.same(sessionClockFor(session, rowTokenOf(2)), clockOf(...one))
  t.equal(sessionClockFor(session, rowTokenOf(3)), undefined)
  t.equal(sessionClockFor(emptySession, rowTokenOf(3)), undefined)
})

t.test('a version joins with its clock alone', async (t) => {
  const clock = clockOf(dot(ACTORS[1]!, 1))
  const session = sessionOf([1, Buffer.concat([clock, Buffer.alloc(43)])])
  t.same(sessionClockFor(session, rowTokenOf(1)), clock)
})

t.test('the word new starts an empty session, and its token is accepted', async (t) => {
  t.same(codec.decode('new', request), emptySession)
  t.same(codec.decode(codec.encode(emptySession), request), emptySession)
})

t.test('several tokens, contexts and new are joined, blanks or not', async (t) => {
  const [a, b, c] = ACTORS.slice(1, 4).map((actor) => clockOf(dot(actor, 2))) as [
    Buffer,
    Buffer,
    Buffer,
  ]
  const header = [
    codec.encode(sessionOf([1, a], [2, b])),
    'new',
    contexts.encode(b, request.name),
    codec.encode(sessionOf([3, c])),
  ]
  for (const separator of [',', ', ', ' ,\t']) {
    const session = codec.decode(header.join(separator), request)
    t.same(keysOf(session), [2, 1, 3])
    t.same(
      sessionClockFor(session, request.rowToken),
      clockOf(dot(ACTORS[1]!, 2), dot(ACTORS[2]!, 2)),
      'a plain context belongs to the key of the request',
    )
  }
})

t.test('the oldest keys leave a token that would grow too long', async (t) => {
  const clock = clockOf(...upTo(ACTORS[1]!, 2), dot(ACTORS[2]!, 5))
  const session = sessionOf(
    ...Array.from({ length: 500 }, (_none, key): [number, Buffer] => [key, clock]),
  )
  const token = codec.encode(session)
  t.ok(token.length <= limits.sessionTokenBytesMax, `${token.length} characters`)
  t.ok(token.length > limits.sessionTokenBytesMax - 70, 'and no more left than had to')
  const keys = keysOf(codec.decode(token, request))
  t.same(keys, keysOf(session).slice(-keys.length))
})

t.test('a clock too wide for any token is forgotten alone', async (t) => {
  const actors = Array.from({ length: 250 }, (_none, at) =>
    dot(at.toString(16).padStart(16, '0'), 1),
  )
  const narrow = clockOf(dot(ACTORS[1]!, 2))
  const session = sessionOf([1, narrow], [2, clockOf(...actors)], [3, narrow])
  t.same(keysOf(codec.decode(codec.encode(session), request)), [1, 3])
})

t.test('a session of another cluster or secret, or a damaged one, is refused', async (t) => {
  const session = sessionOf([1, clockOf(dot(ACTORS[1]!, 2))])
  const otherSecrets = [
    { ...secrets, clusterId: '0123456789abcdee' },
    { ...secrets, key: Buffer.alloc(16, 8) },
  ]
  for (const other of otherSecrets) {
    const error = refusal(createSessionCodec(other, contexts).encode(session))
    t.equal(error.code, 'SHOAL_SESSION_INVALID')
    t.match(error.message, /another cluster, or a damaged one/)
  }
  const token = codec.encode(session)
  for (let at = 0; at < token.length; at++) {
    const other = token[at] === 'A' ? 'B' : 'A'
    t.equal(refusal(token.slice(0, at) + other + token.slice(at + 1)).code, 'SHOAL_SESSION_INVALID')
  }
})

t.test('what is malformed is refused at the place where it is', async (t) => {
  const token = codec.encode(sessionOf([1, clockOf(dot(ACTORS[1]!, 2))]))
  const bytes = Buffer.from(token.slice(3), 'base64url')
  const tokenOf = (changed: Buffer): string => `s1.${changed.toString('base64url')}`
  const altered = (at: number, byte: number): string => {
    const copy = Buffer.from(bytes)
    copy[at] = byte
    return tokenOf(copy)
  }
  const wrong: [string, string, number, RegExp][] = [
    ['nothing', '', 0, /empty item/],
    ['an empty item', `${token}, ,new`, token.length + 2, /empty item/],
    ['an unknown word', 'new, old', 5, /must begin with "s1\."/],
    ['the word in other case', 'New', 0, /must begin with "s1\."/],
    [
      'too long',
      `s1.${'A'.repeat(limits.sessionTokenBytesMax)}`,
      limits.sessionTokenBytesMax,
      /longer/,
    ],
    ['a character outside', 's1.AA$A', 5, /outside base64url/],
    ['one entry too few', altered(2, 0), 3, /after the last entry/],
    ['one entry too many', altered(2, 2), 3, /cut off/],
    ['no entries at all', tokenOf(Buffer.from([1, 0, ...Buffer.alloc(8)])), 3, /cut off/],
    ['a clock longer than its place', altered(12, 19), 3, /cut off/],
    ['a clock shorter than its place', altered(16, 0), 3, /after a clock/],
    ['an unknown format', altered(0, 9), 3, /format 9/],
  ]
  for (const [what, header, offset, message] of wrong) {
    const error = refusal(header)
    t.equal(error.code, 'SHOAL_SESSION_INVALID', what)
    t.match(error.details.errors, [{ field: 'Shoal-Session', offset, message }], what)
  }
  t.match(refusal('n'.repeat(limits.headerBytesMax + 1)).message, /longer than 32768/)
})

t.test('a plain context of another key is refused as one', async (t) => {
  const foreign = contexts.encode(clockOf(dot(ACTORS[1]!, 2)), Buffer.from('carts\x002'))
  t.equal(refusal(foreign).code, 'SHOAL_CONTEXT_FOREIGN')
  t.match(refusal(`new,${foreign}`).details.errors, [{ field: 'Shoal-Session', offset: 4 }])
  t.equal(refusal('c1.AAAA').code, 'SHOAL_CONTEXT_INVALID')
})

t.test('a context token cannot be turned into a session token', async (t) => {
  const token = contexts.encode(clockOf(dot(ACTORS[1]!, 2)), request.name)
  t.equal(refusal(`s1.${token.slice(3)}`).code, 'SHOAL_SESSION_INVALID')
})

t.test('not even for a key named for it', async (t) => {
  // The bytes under the check of this context are also those of a session: one entry with one
  // extra.
  const clusterId = '00000000000000ff'
  const weak = { ...secrets, clusterId }
  const actor = '0000000000000014'
  const clock = raiseBase(emptyClock, Buffer.from(actor, 'hex'), 2 ** 32 + 7)
  const name = Buffer.concat([Buffer.from('00000005', 'hex'), Buffer.from(clusterId, 'hex')])
  const token = createContextCodec(weak).encode(clock, name)
  const check = Buffer.from(token.slice(3), 'base64url').subarray(-8)
  const body = Buffer.concat([Buffer.from([1]), clock, name.subarray(4), name.subarray(0, 4)])
  const forged = `s1.${Buffer.concat([body, check]).toString('base64url')}`
  const decode = () => createSessionCodec(weak, createContextCodec(weak)).decode(forged, request)
  t.throws(decode, { code: 'SHOAL_SESSION_INVALID', message: /its check fails/ })
})

t.test('garbage is refused, never crashes', async (t) => {
  const garbage = fc
    .uint8Array({ maxLength: 150 })
    .map((bytes) => `s1.${Buffer.from([1, 0, 1, ...bytes]).toString('base64url')}`)
  holds(
    t,
    fc.property(garbage, (header) => refusal(header).status === 400),
    { seed: SEED, numRuns: 2_000 },
  )
})

t.test('a row token of another size is a bug of the caller', async (t) => {
  const bug = { name: 'InvariantViolation' }
  t.throws(() => joinIntoSession(emptySession, Buffer.alloc(7), clockOf()), bug)
})
