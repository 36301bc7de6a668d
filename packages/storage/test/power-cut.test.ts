import t from 'tap'
import { cutPower } from './support/power-cut.ts'

/**
 * Power cuts on the real library. More of them, or others:
 *
 *     node dist/test/power-cut.test.js [CUTS] [SEED]
 */
const [cuts = '40', seed = 'Dynamo 2007'] = process.argv.slice(2)

t.comment(`seed ${seed}, ${cuts} cuts`)
// A busy machine may take its time; more cuts may take more of it.
t.setTimeout(60_000 + 2_000 * Number(cuts))

t.test('ST9 a power cut takes nothing that was acknowledged, and no half of a batch', async (t) => {
  const result = await cutPower({ cuts: Number(cuts), seed })
  const { lossy, torn, rotations, acknowledged } = result
  t.comment(result)
  t.ok(rotations > Number(cuts), `${rotations} rotations of the log`)
  t.ok(acknowledged > 10 * Number(cuts), `${acknowledged} batches acknowledged`)
  t.equal(lossy, 0)
  t.equal(torn, 0)
})

t.test('ST9 without the rule for rotated logs the same cuts lose data', async (t) => {
  const { lossy, cuts: made } = await cutPower({ cuts: 6, seed, rotationRule: false })
  t.comment({ lossy, made })
  t.ok(lossy > 0, `${lossy} of ${made} cuts lost what was acknowledged`)
})
