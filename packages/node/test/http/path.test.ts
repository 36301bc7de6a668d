import { ShoalError } from '@shoal/kernel'
import fc from 'fast-check'
import t from 'tap'
import { editDistance, suggest } from '../../src/config/suggest.ts'
import {
  bucketPattern,
  parseQuery,
  readBucket,
  readBucketAlone,
  readBucketAndKey,
  readKey,
} from '../../src/http/path.ts'

function faultOf(work: () => unknown): object | undefined {
  try {
    work()
    return undefined
  } catch (error) {
    if (!(error instanceof ShoalError)) throw error
    const [first] = error.details.errors ?? []
    return { code: error.code, ...(first && { field: first.field, offset: first.offset }) }
  }
}

t.test('keys: any valid UTF-8, percent-encoded', async (t) => {
  const cells: [string, string][] = [
    ['a', 'a'],
    ['a%2Fb', 'a/b'],
    ['a%20b', 'a b'],
    ['a+b', 'a+b'],
    ['%00', '\0'],
    ['100%25', '100%'],
    ['%F0%9F%A6%88', '🦈'],
    ['%e2%82%ac', '€'],
    ['..', '..'],
    ['.', '.'],
    ['a[b]|c"<>\\^`{}', 'a[b]|c"<>\\^`{}'],
    ["!$&'()*+,;=:@~-._", "!$&'()*+,;=:@~-._"],
    ['%EF%BB%BFx', '\ufeffx'],
    ['a'.repeat(1_024), 'a'.repeat(1_024)],
    ['%61'.repeat(1_024), 'a'.repeat(1_024)],
    ['%C3%A9'.repeat(512), 'é'.repeat(512)],
  ]
  for (const [segment, key] of cells) t.equal(readKey(segment), key, segment.slice(0, 40))
})

t.test('what is no key is told with the character', async (t) => {
  const invalid = 'SHOAL_KEY_INVALID'
  const cells: [string, string, number][] = [
    ['', invalid, 0],
    ['ab%', invalid, 2],
    ['ab%4', invalid, 2],
    ['ab%zz', invalid, 2],
    ['%ff', invalid, 0],
    ['a%c3', invalid, 1],
    ['a%c3x', invalid, 1],
    ['a%C0%80', invalid, 1],
    ['%ED%A0%80', invalid, 0],
    ['%F4%90%80%80', invalid, 0],
    ['ok%E2%82%ACthen%80', invalid, 15],
    ['a%c3%zz', invalid, 1],
    ['é', invalid, 0],
    ['a#b', invalid, 1],
    ['a\tb', invalid, 1],
    ['a'.repeat(1_025), 'SHOAL_KEY_TOO_LONG', 1_024],
    ['%C3%A9'.repeat(513), 'SHOAL_KEY_TOO_LONG', 1_024],
  ]
  for (const [segment, code, offset] of cells) {
    t.same(
      faultOf(() => readKey(segment)),
      { code, field: 'key', offset },
      segment.slice(0, 40),
    )
  }
})

t.test('every key survives the way through a path', async (t) => {
  const seed = 7
  t.comment(`seed ${seed}`)
  const keys = fc
    .string({ unit: 'binary', minLength: 1, maxLength: 200 })
    .filter((key) => Buffer.byteLength(key) <= 1_024)
  fc.assert(
    fc.property(keys, (key) => readKey(encodeURIComponent(key)) === key),
    { seed, numRuns: 2_000 },
  )
  t.pass('on 2,000 samples')
})

t.test('bytes that are not UTF-8 are never taken for a key', async (t) => {
  const seed = 8
  t.comment(`seed ${seed}`)
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 12 })
  fc.assert(
    fc.property(bytes, (raw) => {
      const segment = [...raw].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')
      const text = Buffer.from(raw).toString('utf8')
      const valid = Buffer.from(text).equals(Buffer.from(raw))
      return valid ? readKey(segment) === text : faultOf(() => readKey(segment)) !== undefined
    }),
    { seed, numRuns: 5_000 },
  )
  t.pass('on 5,000 samples')
})

t.test('bucket names', async (t) => {
  for (const name of ['a', 'A-z_0.9', 'a'.repeat(128), '...', 'a_']) t.equal(readBucket(name), name)
  t.equal(readBucket('%61bc'), 'abc', 'the same name, percent-encoded')
  const code = 'SHOAL_BUCKET_INVALID'
  for (const name of [
    '',
    '.',
    '..',
    '%2E%2E',
    'a b',
    'a%20b',
    'a%2Fb',
    'é',
    'a'.repeat(129),
    'a%00',
    'a:b',
  ]) {
    t.match(
      faultOf(() => readBucket(name)),
      { code, field: 'bucket' },
      name.slice(0, 20),
    )
  }
  for (const name of ['_', '_shoal', '%5Fshoal']) {
    t.match(
      faultOf(() => readBucket(name)),
      { code: 'SHOAL_BUCKET_RESERVED' },
      name,
    )
  }
})

t.test('the pattern in the API document says the same as the parser', async (t) => {
  const pattern = new RegExp(bucketPattern)
  const seed = 9
  t.comment(`seed ${seed}`)
  const names = fc
    .array(fc.constantFrom('.', '_', '-', 'a', 'Z', '0', '!', ' ', '/', 'é'), { maxLength: 4 })
    .map((parts) => parts.join(''))
  fc.assert(
    fc.property(
      names,
      (name) => pattern.test(name) === (faultOf(() => readBucket(name)) === undefined),
    ),
    { seed, numRuns: 3_000 },
  )
  t.pass('on 3,000 samples')
})

t.test('bucket and key come from the raw target', async (t) => {
  t.same(readBucketAndKey('/v1/kv/b/k%2Fx?sibling=1', '/v1/kv/'), { bucket: 'b', key: 'k/x' })
  t.equal(readBucketAlone('/v1/buckets/b?x', '/v1/buckets/'), 'b')
  t.match(
    faultOf(() => readBucketAndKey('/v1/%6Bv/b/k', '/v1/kv/')),
    { code: 'SHOAL_ROUTE_NOT_FOUND' },
  )
  t.match(
    faultOf(() => readBucketAlone('/v1/%62uckets/b', '/v1/buckets/')),
    { code: 'SHOAL_ROUTE_NOT_FOUND' },
  )
})

t.test('queries', async (t) => {
  const names = ['prefix', 'limit', 'cursor'] as const
  t.same(parseQuery('', names), {})
  t.same(parseQuery('prefix=a%2Fb+c&limit=5', names), { prefix: 'a/b c', limit: '5' })
  t.same(parseQuery('&prefix&&', names), { prefix: '' })
  t.same(parseQuery('prefix=a=b', names), { prefix: 'a=b' })
  const code = 'SHOAL_QUERY_INVALID'
  const cells: [string, string, number][] = [
    ['prefx=a', 'prefx', 0],
    ['prefix=a&zzz=1', 'zzz', 9],
    ['prefix=a&prefix=b', 'prefix', 9],
    ['prefix=%ff', 'prefix', 0],
    ['prefix=ab%z', 'prefix', 2],
    ['%ff=1', 'query', 0],
    ['=1', 'query', 0],
    ['prefix=é', 'prefix', 0],
  ]
  for (const [query, field, offset] of cells) {
    t.same(
      faultOf(() => parseQuery(query, names)),
      { code, field, offset },
      query,
    )
  }
})

t.test('a mistyped word is told its nearest', async (t) => {
  const known = ['replicas', 'partitions', 'listen']
  t.equal(suggest('replcas', known), 'replicas')
  t.equal(suggest('REPLICAS', known), 'replicas')
  t.equal(suggest('lsiten', known), 'listen')
  t.equal(suggest('zzz', known), undefined)
  t.equal(suggest('x'.repeat(1_000), known), undefined)
  t.equal(editDistance('kitten', 'sitting'), 3)
  t.equal(editDistance('ab', 'ba'), 1)
  t.equal(editDistance('', 'abc'), 3)
})
