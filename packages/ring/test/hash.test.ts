import fc from 'fast-check'
import t from 'tap'
import { hash64, hex64 } from '../src/index.ts'
import { slowXxh64 } from './support/xxh64.ts'

const SEED = 2_654_435_761n

/**
 * The bytes that the reference implementation's self-check hashes: a generator squared again and
 * again.
 */
const sanity = Uint8Array.from({ length: 101 })
let generator = Number(SEED) | 0
for (let at = 0; at < sanity.length; at++) {
  sanity[at] = generator >>> 24
  generator = Math.imul(generator, generator)
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value)

/** Published: the reference implementation's self-check, and the manuals of well-known bindings. */
const published: readonly (readonly [string, Uint8Array, bigint, string])[] = [
  ['nothing', text(''), 0n, 'ef46db3751d8e999'],
  ['"a"', text('a'), 0n, 'd24ec4f1a98c6e5b'],
  ['"abc"', text('abc'), 0n, '44bc2cf5ad770999'],
  ['"xxhash"', text('xxhash'), 0n, '32dd38952c4bc720'],
  ['"xxhash", seeded', text('xxhash'), 20_141_025n, 'b559b98d844e0635'],
  ['39 bytes', text('Nobody inspects the spammish repetition'), 0n, 'fbcea83c8a378bf1'],
  ['nothing, seeded', sanity.subarray(0, 0), SEED, 'ac75fda2929b17ef'],
  ['1 byte', sanity.subarray(0, 1), 0n, '4fce394cc88952d8'],
  ['1 byte, seeded', sanity.subarray(0, 1), SEED, '739840cb819fa723'],
  ['14 bytes', sanity.subarray(0, 14), 0n, 'cffa8db881bc3a3d'],
  ['14 bytes, seeded', sanity.subarray(0, 14), SEED, '5b9611585efcc9cb'],
  ['101 bytes', sanity, 0n, '0eab543384f878ad'],
  ['101 bytes, seeded', sanity, SEED, 'caa65939306f1e21'],
]

t.test('R1: published XXH64 vectors come out', async (t) => {
  for (const [what, bytes, seed, expected] of published) {
    t.equal(hex64(hash64(bytes, seed)), expected, what)
    t.equal(hex64(slowXxh64(bytes, seed)), expected, `${what}, by the slow reference`)
  }
})

t.test('R1: every length from 0 to 200 agrees with the specification', async (t) => {
  const bytes = Uint8Array.from({ length: 200 }, (_, index) => (index * 167 + 13) & 0xff)
  for (let length = 0; length <= bytes.length; length++) {
    const part = bytes.subarray(0, length)
    if (hash64(part, 7n) !== slowXxh64(part, 7n)) t.fail(`length ${length} differs`)
  }
  t.pass('201 lengths')
})

t.test('R1: any bytes under any seed agree with the specification', async (t) => {
  const seed64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n })
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 2_000 }),
      seed64,
      (bytes, seed) => hash64(bytes, seed) === slowXxh64(bytes, seed),
    ),
    { seed: 20_240_501, numRuns: 300 },
  )
  t.pass('300 runs')
})

t.test('a view into a larger buffer hashes only its own bytes', async (t) => {
  const whole = Buffer.from('xxabcxx')
  t.equal(hash64(whole.subarray(2, 5)), hash64(text('abc')))
})

t.test('a large input does not disturb the small one after it', async (t) => {
  hash64(new Uint8Array(3_000_000))
  t.equal(hex64(hash64(text('abc'))), '44bc2cf5ad770999')
})

t.test('64-bit numbers are shown as 16 digits', async (t) => {
  t.equal(hex64(0n), '0000000000000000')
  t.equal(hex64(0xabcn), '0000000000000abc')
})
