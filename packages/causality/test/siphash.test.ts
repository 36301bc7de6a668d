import fc from 'fast-check'
import t from 'tap'
import { sipHash24, sipKey } from '../src/siphash.ts'
import { holds, SEED } from './arbitraries.ts'

t.comment(`seed ${SEED}`)

/**
 * Published with the reference implementation: key 00 to 0f, input the first n bytes of 00 01 02 ….
 */
const VECTORS = `
  310e0edd47db6f72 fd67dc93c539f874 5a4fa9d909806c0d 2d7efbd796666785 b7877127e09427cf
  8da699cd64557618 cee3fe586e46c9cb 37d1018bf50002ab 6224939a79f5f593 b0e4a90bdf82009e
  f3b9dd94c5bb5d7a a7ad6b22462fb3f4 fbe50e86bc8f1e75 903d84c02756ea14 eef27a8e90ca23f7
  e545be4961ca29a1 db9bc2577fcc2a3f 9447be2cf5e99a69 9cd38d96f0b3c14b bd6179a71dc96dbb
  98eea21af25cd6be c7673b2eb0cbf2d0 883ea3e395675393 c8ce5ccd8c030ca8 94af49f6c650adb8
  eab8858ade92e1bc f315bb5bb835d817 adcf6b0763612e2f a5c91da7acaa4dde 716595876650a2a6
  28ef495c53a387ad 42c341d8fa92d832 ce7cf2722f512771 e37859f94623f3a7 381205bb1ab0e012
  ae97a10fd434e015 b4a31508beff4d31 81396229f0907902 4d0cf49ee5d4dcca 5c73336a76d8bf9a
  d0a704536ba93e0e 925958fcd6420cad a915c29bc8067318 952b79f3bc0aa6d4 f21df2e41d4535f9
  87577519048f53a9 10a56cf5dfcd9adb eb75095ccd986cd0 51a9cb9ecba312e6 96afadfc2ce666c7
  72fe52975a4364ee 5a1645b276d592a1 b274cb8ebf87870a 6f9bb4203de7b381 eaecb2a30b22a87f
  9924a43cc1315724 bd838d3aafbf8db7 0b1a2a3265d51aea 135079a3231ce660 932b2846e4d70666
  e1915f5cb1eca46c f325965ca16d629f 575ff28e60381be5 724506eb4c328a95`
  .trim()
  .split(/\s+/)

const KEY = Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex')

function hash(key: Buffer, input: Buffer): string {
  const bytes = Buffer.concat([Buffer.alloc(3, 0xaa), input, Buffer.alloc(9, 0xbb)])
  const out = Buffer.alloc(12)
  sipHash24(sipKey(key), bytes, 3, 3 + input.length, out, 2)
  return out.toString('hex', 2, 10)
}

t.test('the published vectors', async (t) => {
  t.equal(VECTORS.length, 64)
  VECTORS.forEach((expected, length) => {
    const input = Buffer.from(Array.from({ length }, (_none, index) => index))
    t.equal(hash(KEY, input), expected, `${length} bytes`)
  })
})

const MASK = 2n ** 64n - 1n
const rotate = (word: bigint, by: bigint): bigint => ((word << by) | (word >> (64n - by))) & MASK

/** As the paper writes it, in 64-bit words. */
function slowHash(key: Buffer, input: Buffer): string {
  const [k0, k1] = [key.readBigUInt64LE(0), key.readBigUInt64LE(8)]
  let v0 = k0 ^ 0x736f6d6570736575n
  let v1 = k1 ^ 0x646f72616e646f6dn
  let v2 = k0 ^ 0x6c7967656e657261n
  let v3 = k1 ^ 0x7465646279746573n
  const round = (): void => {
    v0 = (v0 + v1) & MASK
    v1 = rotate(v1, 13n) ^ v0
    v0 = rotate(v0, 32n)
    v2 = (v2 + v3) & MASK
    v3 = rotate(v3, 16n) ^ v2
    v0 = (v0 + v3) & MASK
    v3 = rotate(v3, 21n) ^ v0
    v2 = (v2 + v1) & MASK
    v1 = rotate(v1, 17n) ^ v2
    v2 = rotate(v2, 32n)
  }
  const padded = Buffer.alloc(8 * Math.floor(input.length / 8) + 8)
  input.copy(padded)
  padded[padded.length - 1] = input.length
  for (let at = 0; at < padded.length; at += 8) {
    const word = padded.readBigUInt64LE(at)
    v3 ^= word
    round()
    round()
    v0 ^= word
  }
  v2 ^= 0xffn
  for (let count = 0; count < 4; count++) round()
  const out = Buffer.alloc(8)
  out.writeBigUInt64LE(v0 ^ v1 ^ v2 ^ v3)
  return out.toString('hex')
}

t.test('32-bit halves agree with 64-bit words, for any key and input', async (t) => {
  const someKey = fc.uint8Array({ minLength: 16, maxLength: 16 })
  const someInput = fc.uint8Array({ maxLength: 300 })
  holds(
    t,
    fc.property(someKey, someInput, (key, input) => {
      const [k, i] = [Buffer.from(key), Buffer.from(input)]
      return hash(k, i) === slowHash(k, i)
    }),
    { seed: SEED, numRuns: 2_000 },
  )
})

t.test('a key of another size is a bug of the caller', async (t) => {
  t.throws(() => sipKey(Buffer.alloc(15)), { name: 'InvariantViolation' })
})
