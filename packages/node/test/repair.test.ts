import t from 'tap'
import { measureRepair } from '../bench/repair.ts'

t.test(
  'anti-entropy alone finds and repairs what differs, and reads little else (E2)',
  async (t) => {
    const figures = await measureRepair({ keys: 4_000, different: 12, partitions: 64 })
    t.ok(figures.equal)
    t.same(figures.changed, figures.owed, 'exactly the rows that were missed')
    t.ok(figures.keysRead < 4_000 * 0.02, `${figures.keysRead} keys read`)
    t.ok(figures.cleanExchangeBytes <= 1_024, `${figures.cleanExchangeBytes} bytes`)
  },
)
