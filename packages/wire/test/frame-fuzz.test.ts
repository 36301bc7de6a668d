import { InvariantViolation, ShoalError } from '@shoal/kernel'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import {
  decodeHello,
  decodeOpen,
  decodeReady,
  decodeRefused,
  encodeHello,
  encodeOpen,
  encodeReady,
  encodeRefused,
  frameTypes,
} from '../src/index.ts'
import { decode, encode, type Seen } from './frames.ts'

const seed = Number(process.env.SHOAL_SEED ?? 20_071_014)
t.comment(`seed ${seed}`)

/** Holds the property, as one assertion that shows the counterexample. */
function check<T>(t: Test, property: fc.IProperty<T>, settings: fc.Parameters<T>): void {
  t.equal(fc.defaultReportMessage(fc.check(property, settings)) ?? 'holds', 'holds')
}

const u32 = fc.nat(0xffff_ffff)
const latin1 = fc
  .uint8Array({ maxLength: 200 })
  .map((bytes) => Buffer.from(bytes).toString('latin1'))
const question = fc.record({
  type: fc.constant(frameTypes.question),
  kind: fc.nat(255),
  id: u32,
  epoch: u32,
  timeout: u32,
  body: latin1,
})
const traced = fc.record({
  type: fc.constant(frameTypes.tracedQuestion),
  kind: fc.nat(255),
  id: u32,
  epoch: u32,
  timeout: u32,
  trace: latin1.filter((text) => text !== ''),
  body: latin1,
})
const other = fc.record({
  type: fc.constantFrom(...Object.values(frameTypes).filter((type) => type !== 1 && type !== 8)),
  kind: fc.nat(255),
  id: u32,
  body: latin1,
})
const frames: fc.Arbitrary<Seen[]> = fc.array(fc.oneof(question, traced, other), {
  maxLength: 12,
})
const cuts = fc.array(fc.nat(3_000), { maxLength: 20 })

function split(bytes: Buffer, at: readonly number[]): Buffer[] {
  const places = [0, ...at.filter((place) => place < bytes.length), bytes.length]
  places.sort((one, two) => one - two)
  return places.slice(1).map((place, index) => bytes.subarray(places[index], place))
}

t.test('any frames, cut anywhere, arrive as they were sent', (t) => {
  check(
    t,
    fc.property(frames, cuts, (sent, places) => {
      const { seen, reason, decoder } = decode(split(encode(sent), places))
      const same = JSON.stringify(seen) === JSON.stringify(sent)
      return same && reason === undefined && decoder.held === 0
    }),
    { seed, numRuns: 1_000 },
  )
  t.end()
})

t.test('a truncated stream hands on only whole frames', (t) => {
  check(
    t,
    fc.property(frames, fc.nat(3_000), (sent, length) => {
      const bytes = encode(sent)
      const { seen, reason } = decode([bytes.subarray(0, Math.min(length, bytes.length))])
      return (
        reason === undefined && JSON.stringify(seen) === JSON.stringify(sent.slice(0, seen.length))
      )
    }),
    { seed, numRuns: 1_000 },
  )
  t.end()
})

/**
 * However the bytes look: no exception, nothing beyond the bound, the same result however they are
 * cut.
 */
function standsUp(bytes: Buffer, places: readonly number[]): boolean {
  const bound = 512
  const whole = decode([bytes], bound)
  const parts = decode(split(bytes, places), bound)
  return (
    JSON.stringify([whole.seen, whole.reason]) === JSON.stringify([parts.seen, parts.reason]) &&
    whole.seen.every(({ body }) => body.length <= bound) &&
    whole.seen.reduce((sum, { body }) => sum + 10 + body.length, 0) <= bytes.length &&
    parts.decoder.held <= bound
  )
}

t.test('flipped bits hurt nothing', (t) => {
  check(
    t,
    fc.property(
      frames,
      cuts,
      fc.array(fc.nat(3_000 * 8), { maxLength: 8 }),
      (sent, places, flips) => {
        const bytes = encode(sent)
        for (const flip of flips) {
          const at = flip >> 3
          if (at < bytes.length) bytes[at] = (bytes[at] as number) ^ (1 << (flip & 7))
        }
        return standsUp(bytes, places)
      },
    ),
    { seed, numRuns: 3_000 },
  )
  t.end()
})

t.test('random bytes hurt nothing', (t) => {
  check(
    t,
    fc.property(fc.uint8Array({ maxLength: 2_000 }), cuts, (bytes, places) =>
      standsUp(Buffer.from(bytes), places),
    ),
    { seed, numRuns: 3_000 },
  )
  t.end()
})

const bytesOf = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const openings = fc.record({
  versions: fc.array(fc.nat(0xffff), { maxLength: 16 }),
  node: fc.stringMatching(/^[A-Za-z0-9._-]{1,64}$/),
  nonce: bytesOf(32),
  uptime: fc.nat(),
})
const hellos = fc.record({
  cluster: fc.stringMatching(/^[a-z0-9]{0,20}$/),
  run: bytesOf(16),
  ring: fc.record({ epoch: u32, digest: bytesOf(32), summary: fc.uint8Array() }),
  features: fc.array(fc.stringMatching(/^[a-z-]{0,20}$/), { maxLength: 5 }),
})
const readies = fc.record({ lastChannel: fc.constantFrom(new Uint8Array(0), new Uint8Array(8)) })
const refusals = fc.record({ code: fc.string(), words: fc.stringMatching(/^[ -~äß€]{0,50}$/) })

function damaged(message: fc.Arbitrary<Buffer>): fc.Arbitrary<Buffer> {
  return fc
    .tuple(message, fc.array(fc.nat(4_000), { maxLength: 4 }), fc.nat(4_000))
    .map(([bytes, flips, length]) => {
      for (const flip of flips) {
        const at = flip >> 3
        if (at < bytes.length) bytes[at] = (bytes[at] as number) ^ (1 << (flip & 7))
      }
      return bytes.subarray(0, length)
    })
}

function onlyRefuses(work: () => unknown): boolean {
  try {
    work()
    return true
  } catch (error) {
    return error instanceof ShoalError && !(error instanceof InvariantViolation)
  }
}

const messages = [
  ['open', openings.map(encodeOpen), decodeOpen],
  ['hello', hellos.map(encodeHello), decodeHello],
  ['ready', readies.map(encodeReady), decodeReady],
  ['refused', refusals.map((refused) => encodeRefused(refused, 1_000)), decodeRefused],
] as const

for (const [name, message, read] of messages) {
  t.test(`${name}: damaged or random bytes are refused, never believed half`, (t) => {
    const random = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes))
    check(
      t,
      fc.property(fc.oneof(damaged(message), random), (bytes) => onlyRefuses(() => read(bytes))),
      { seed, numRuns: 2_000 },
    )
    t.end()
  })
}

t.test('opening messages arrive as they were sent', (t) => {
  const plain = (value: unknown) =>
    JSON.stringify(value, (_key, member) =>
      member?.type === 'Buffer' ? member.data : member instanceof Uint8Array ? [...member] : member,
    )
  const same = <T>(
    arbitrary: fc.Arbitrary<T>,
    there: (value: T) => Buffer,
    back: (b: Buffer) => T,
  ) =>
    check(
      t,
      fc.property(arbitrary, (value) => plain(back(there(value))) === plain(value)),
      { seed, numRuns: 300 },
    )
  same(openings, encodeOpen, decodeOpen)
  same(hellos, encodeHello, decodeHello)
  same(readies, encodeReady, decodeReady)
  t.end()
})
