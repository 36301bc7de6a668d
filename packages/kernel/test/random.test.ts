import t from 'tap'
import {
  createSeededRandom,
  createSystemEnv,
  createTestEnv,
  InvariantViolation,
  type Random,
} from '../src/index.ts'

const system = createSystemEnv(() => {}).random('any')
const forms: readonly [string, (label: string) => Random][] = [
  ['seeded', createSeededRandom],
  ['system', () => system],
]
const draw = (random: Random, bound: number, count: number): number[] =>
  Array.from({ length: count }, () => random.below(bound))

const bounds = [2, 3, 10, 255, 1_000, 2 ** 16 + 1, 2 ** 32, 2 ** 32 + 1, 3 * 2 ** 46, 2 ** 48]

/** Pearson's measure of how far counts lie from equal; 15 classes more or less lie around 15. */
function chiSquare(classes: readonly number[], count: number): number {
  const seen = new Map<number, number>()
  for (const each of classes) seen.set(each, (seen.get(each) ?? 0) + 1)
  const expected = classes.length / count
  return Array.from(
    { length: count },
    (_, at) => ((seen.get(at) ?? 0) - expected) ** 2 / expected,
  ).reduce((sum, each) => sum + each, 0)
}

/** With 15 degrees of freedom chance passes it once in 10^10 runs. */
const TOO_FAR = 80

for (const [name, make] of forms) {
  t.test(`K5: ${name} numbers are whole, within their bound and reach both ends`, async (t) => {
    for (const bound of bounds) {
      const drawn = draw(make(`range ${bound}`), bound, 3_000)
      t.ok(
        drawn.every((each) => Number.isInteger(each) && each >= 0 && each < bound),
        `${bound}`,
      )
      if (bound <= 255) t.equal(new Set(drawn).size, bound, `each of ${bound} numbers comes`)
    }
  })

  t.test(`K5: ${name} numbers are uniform in their highest and lowest digits`, async (t) => {
    for (const bound of bounds) {
      const classes = Math.min(bound, 16)
      const drawn = draw(make(`uniform ${bound}`), bound, 8_000)
      const high = chiSquare(
        drawn.map((each) => Math.floor((each / bound) * classes)),
        classes,
      )
      t.ok(high < TOO_FAR, `below ${bound}: ${high.toFixed(1)}`)
      // The last, shorter run of digits weighs nothing where the bound is large.
      if (bound < 10_000) continue
      const low = chiSquare(
        drawn.map((each) => each % 16),
        16,
      )
      t.ok(low < TOO_FAR, `below ${bound}, modulo 16: ${low.toFixed(1)}`)
    }
  })

  t.test(`${name}: without a choice the answer is 0`, async (t) => {
    const random = make('no choice')
    for (const bound of [1, 0, -7]) t.equal(random.below(bound), 0)
  })

  t.test(`${name}: a bound that is not whole, or above 2^48, is a bug`, async (t) => {
    const random = make('wrong')
    for (const bound of [1.5, 2 ** 48 + 1, Number.NaN, Number.POSITIVE_INFINITY]) {
      t.throws(() => random.below(bound), InvariantViolation, `${bound}`)
    }
  })

  t.test(`${name} bytes are as many as asked for, and uniform`, async (t) => {
    const random = make('bytes')
    t.equal(random.bytes(0).length, 0)
    t.equal(random.bytes(17).length, 17)
    const bytes = [...random.bytes(8_192)]
    t.ok(
      chiSquare(
        bytes.map((byte) => byte >> 4),
        16,
      ) < TOO_FAR,
    )
    t.ok(
      chiSquare(
        bytes.map((byte) => byte & 15),
        16,
      ) < TOO_FAR,
    )
  })
}

t.test('K4: a seed replays every stream', async (t) => {
  const record = (seed: number): unknown => {
    const { random } = createTestEnv({ seed })
    const bytes = Buffer.from(random('ids').bytes(8)).toString('hex')
    return [draw(random('jitter'), 2 ** 48, 20), bytes, draw(random('jitter'), 6, 20)]
  }
  t.same(record(7), record(7))
  t.notSame(record(7), record(8))
})

t.test(
  'K4: a stream begins like this for ever, or no failing seed could be told to anyone',
  async (t) => {
    t.same(
      draw(createSeededRandom('1:peers'), 2 ** 48, 3),
      [70_828_652_892_896, 168_919_687_209_410, 186_160_894_185_716],
    )
  },
)

t.test('K4: draws of one label do not shift those of another', async (t) => {
  const alone = createTestEnv({ seed: 3 })
  const among = createTestEnv({ seed: 3 })
  draw(among.random('noise'), 10, 100)
  const first = draw(among.random('wanted'), 1_000, 10)
  draw(among.random('noise'), 10, 100)
  const second = draw(among.random('wanted'), 1_000, 10)
  t.notSame(first, draw(createTestEnv({ seed: 3 }).random('noise'), 1_000, 10))
  t.same([...first, ...second], draw(alone.random('wanted'), 1_000, 20), 'it goes on where it was')
})

t.test('K4: streams of similar labels have nothing in common', async (t) => {
  const labels = Array.from({ length: 2_000 }, (_, index) => `1:node${index}`)
  const firsts = labels.map((label) => createSeededRandom(label).below(2 ** 48))
  t.equal(new Set(firsts).size, labels.length)
  t.ok(
    chiSquare(
      firsts.map((each) => Math.floor(each / 2 ** 44)),
      16,
    ) < TOO_FAR,
  )
  t.ok(
    chiSquare(
      firsts.map((each) => each % 16),
      16,
    ) < TOO_FAR,
  )
  const steps = firsts
    .slice(1)
    .map((each, at) => (each - (firsts[at] as number) + 2 ** 48) % 2 ** 48)
  t.ok(
    chiSquare(
      steps.map((each) => Math.floor(each / 2 ** 44)),
      16,
    ) < TOO_FAR,
    'neighbours',
  )
})
