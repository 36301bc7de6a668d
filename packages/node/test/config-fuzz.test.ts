/** Whatever is written, the answer is a configuration or a ShoalError that names a place. */
import { InvariantViolation, ShoalError } from '@shoal/kernel'
import fc from 'fast-check'
import t from 'tap'
import { formatBytes, parseBytes } from '../src/config/bytes.ts'
import { describeConfig, examineConfig } from '../src/config/index.ts'
import { settings } from '../src/config/schema.ts'
import { editDistance, suggest } from '../src/config/suggest.ts'
import { enough, type Parts, sourcesOf } from './config-support.ts'

const seed = 20_261_014
const runs = { seed, numRuns: 400 }

/** Never throws; what is refused says where. */
function holds(parts: Parts): boolean {
  const { config, error, ...shown } = examineConfig(sourcesOf(parts))
  if (describeConfig(shown).length !== settings.length) return false
  if (error === undefined) return config !== undefined
  const { errors = [] } = error.details
  return (
    config === undefined &&
    error instanceof ShoalError &&
    !(error instanceof InvariantViolation) &&
    errors.length > 0 &&
    errors.every(({ field, message }) => field !== '' && message !== '')
  )
}

const word = fc.oneof(
  fc.string({ maxLength: 12 }),
  fc.string({ unit: 'binary', maxLength: 6 }),
  fc.constantFrom(
    ...['', '0', '1', '3', '-1', '1e3', 'NaN', 'true', 'false', 'n1', 'n2', '/x', '1MiB', '1.5KiB'],
    ...['127.0.0.1:4100', '0.0.0.0:0', '[::1]:1', 'quorum', 'one;r=1', 'quorum;w=9', 'fsync'],
    ...['n1=http://a', 'n1=http://a;zone=z,n2=http://b;weight=2', 'n1=http://a;peer=x', '=,;='],
    ...['constructor', '__proto__', 'toString'],
  ),
)

const ids = settings.map(({ id }) => id)
const variables = settings.map(({ variable }) => variable)
const keys = settings.flatMap(({ key }) => (key === undefined ? [] : [key]))

t.test(`flags and variables, seed ${seed}`, async () => {
  const some = (names: readonly string[]): fc.Arbitrary<Record<string, string>> =>
    fc.dictionary(fc.constantFrom(...names), word, { maxKeys: 6 })
  fc.assert(
    fc.property(some(ids), some([...variables, 'SHOAL_X', '__proto__']), (flags, environment) =>
      holds({ flags: { ...enough, ...flags }, environment }),
    ),
    runs,
  )
})

const tomlValue: fc.Arbitrary<string> = fc.letrec<{ any: string; one: string }>((tie) => ({
  one: fc.oneof(
    word.map((text) => JSON.stringify(text)),
    fc.integer().map(String),
    fc.double().map((value) => String(value).replace('Infinity', 'inf').replace('NaN', 'nan')),
    fc.constantFrom('true', '1979-05-27', '07:32:00', '1979-05-27T07:32:00Z', '0xff', "'x'"),
  ),
  any: fc.oneof(
    { weight: 4, arbitrary: tie('one') },
    fc.array(tie('any'), { maxLength: 3 }).map((all) => `[${all.join(', ')}]`),
    fc
      .array(fc.tuple(fc.constantFrom('id', 'url', 'zone', 'weight', 'x'), tie('any')), {
        maxLength: 3,
      })
      .map((pairs) => `{ ${pairs.map(([key, value]) => `${key} = ${value}`).join(', ')} }`),
  ),
})).any

const line = fc.oneof(
  fc
    .tuple(fc.constantFrom(...keys, 'x', 'secret', '"__proto__"', 'constructor'), tomlValue)
    .map(([key, value]) => `${key} = ${value}`),
  fc.constantFrom('[buckets]', '[[members]]', '[members]', '[a.b]', '[[buckets]]', '[constructor]'),
)

t.test(`files that are nearly right, seed ${seed}`, async () => {
  fc.assert(
    fc.property(fc.array(line, { maxLength: 6 }), (lines) =>
      holds({ flags: enough, toml: lines.join('\n') }),
    ),
    runs,
  )
})

t.test(`files that are anything, seed ${seed}`, async () => {
  const anything = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc.string({ unit: fc.constantFrom(...'[]{}="\'.,\n#_-0123abc:TZ\\u '), maxLength: 80 }),
  )
  fc.assert(
    fc.property(anything, (toml) => holds({ flags: enough, toml })),
    runs,
  )
})

t.test('deep files are refused, not crashed upon', async (t) => {
  t.ok(holds({ flags: enough, toml: `x = ${'['.repeat(10_000)}` }))
  t.ok(holds({ flags: enough, toml: `${'a.'.repeat(10_000)}b = 1` }))
  t.ok(holds({ flags: enough, toml: `[${'a.'.repeat(10_000)}b]` }))
})

t.test(`amounts of bytes are read as they were written, seed ${seed}`, async (t) => {
  fc.assert(
    fc.property(
      fc.nat({ max: Number.MAX_SAFE_INTEGER }),
      (bytes) => parseBytes(formatBytes(bytes)) === bytes,
    ),
    runs,
  )
  const amounts: Record<string, number | undefined> = {
    '0': 0,
    '12B': 12,
    '1KiB': 1_024,
    '1.5 KiB': 1_536,
    '0.5MiB': 524_288,
    '2GiB': 2_147_483_648,
    '1.3B': undefined,
    '1kib': undefined,
    '1KB': undefined,
    '1  KiB': undefined,
    ' 1': undefined,
    '-1': undefined,
    '1e3': undefined,
    '1_000': undefined,
    KiB: undefined,
    '': undefined,
    '999999999999999GiB': undefined,
    '1constructor': undefined,
  }
  for (const [text, bytes] of Object.entries(amounts)) t.equal(parseBytes(text), bytes, text)
})

t.test('suggestions are near: two edits at most, and fewer for short words', async (t) => {
  t.equal(suggest('lisetn', ['listen', 'log']), 'listen', 'two neighbours swapped are one edit')
  t.equal(suggest('LISTEN', ['listen']), 'listen')
  t.equal(suggest('lg', ['log']), 'log')
  t.equal(suggest('dt', ['data']), undefined)
  t.equal(suggest('lis', ['listen']), undefined)
  t.equal(suggest('x'.repeat(65), ['x'.repeat(64)]), undefined)
  t.equal(editDistance('', 'abc'), 3)
  t.equal(editDistance('kitten', 'sitting'), 3)
  fc.assert(
    fc.property(fc.string({ maxLength: 8 }), fc.string({ maxLength: 8 }), (one, other) => {
      const distance = editDistance(one, other)
      return distance === editDistance(other, one) && (distance === 0) === (one === other)
    }),
    runs,
  )
})
