import { createSeededRandom } from '@shoal/kernel'
import fc from 'fast-check'
import t from 'tap'
import { type Fingerprint, KeySet } from '../src/core/key-set.ts'

const textOf = ({ a, b, c }: Fingerprint): string => `${a}.${b}.${c}`

t.test('HO12 it is a set, whatever is added and deleted', async () => {
  // Few distinct homes, so that keys crowd each other out and wrap round the end.
  const print = fc.record({
    a: fc.constantFrom(1, 3),
    b: fc.constantFrom(0, 1, 6, 7, 8, 62, 63, 64, 127, 2 ** 26, 0xffff_ffff),
    c: fc.constantFrom(0, 1, 2, 3),
  })
  const step = fc.record({ add: fc.boolean(), print })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const set = new KeySet()
      const model = new Set<string>()
      const seen = new Map<string, Fingerprint>()
      for (const { add, print } of steps) {
        const text = textOf(print)
        seen.set(text, print)
        if (add) {
          if (set.add(print) === model.has(text)) return false
          model.add(text)
        } else if (set.delete(print) !== model.delete(text)) return false
        if (set.size !== model.size) return false
        for (const [each, known] of seen) if (set.has(known) !== model.has(each)) return false
      }
      return true
    }),
    { seed: 20_071_014, numRuns: 300 },
  )
})

t.test(
  'HO12 a hint takes at most 35 bytes of memory, and an emptied set gives them back',
  async (t) => {
    const random = createSeededRandom('key set')
    const draw = () => random.below(2 ** 32)
    const prints = Array.from({ length: 60_000 }, () => ({ a: draw() | 1, b: draw(), c: draw() }))
    const set = new KeySet()
    let most = 0
    for (const { a, b, c } of prints) {
      set.add({ a: a >>> 0, b, c })
      if (set.size > 1_000) most = Math.max(most, set.bytes / set.size)
    }
    t.ok(most <= 35, `${most} bytes`)
    t.equal(set.size, prints.length)
    for (const { a, b, c } of prints) if (!set.delete({ a: a >>> 0, b, c })) t.fail('lost')
    t.equal(set.size, 0)
    t.equal(set.bytes, 0)
    for (const { a, b, c } of prints) set.add({ a: a >>> 0, b, c })
    set.clear()
    t.equal(set.size, 0)
    t.notOk(set.has({ a: 1, b: 2, c: 3 }))
  },
)
