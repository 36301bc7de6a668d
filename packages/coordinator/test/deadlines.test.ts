import { createTestEnv, millis } from '@shoal/kernel'
import fc from 'fast-check'
import t from 'tap'
import { type DeadlineEntry, Deadlines, unlisted } from '../src/deadlines.ts'

class Entry implements DeadlineEntry {
  deadlineTick: number = unlisted.deadlineTick
  deadlineBefore: DeadlineEntry | undefined
  deadlineAfter: DeadlineEntry | undefined
  calledAt: number | undefined
  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  onDeadline(): void {
    this.calledAt = this.#now()
  }
}

t.test('a deadline is noticed within one tick after it, and never before', async () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ at: fc.integer({ min: 0, max: 500 }), removed: fc.boolean() }), {
        maxLength: 40,
      }),
      (plans) => {
        const env = createTestEnv()
        const deadlines = new Deadlines(env, millis(16))
        const entries = plans.map(() => new Entry(() => env.clock.elapsed()))
        for (const [index, entry] of entries.entries()) {
          deadlines.add(entry, millis(plans[index]?.at ?? 0))
        }
        for (const [index, entry] of entries.entries()) {
          if (plans[index]?.removed) deadlines.remove(entry)
        }
        env.advance(millis(600))
        return (
          env.pendingTimers === 0 &&
          entries.every((entry, index) => {
            const plan = plans[index] ?? { at: 0, removed: true }
            if (plan.removed) return entry.calledAt === undefined
            const late = (entry.calledAt ?? Number.POSITIVE_INFINITY) - plan.at
            return late >= 0 && late <= 32
          })
        )
      },
    ),
    { seed: 20_071_014, numRuns: 300 },
  )
})

t.test('an entry may be listed again after its time', async (t) => {
  const env = createTestEnv()
  const deadlines = new Deadlines(env, millis(16))
  const entry = new Entry(() => env.clock.elapsed())
  deadlines.add(entry, millis(10))
  env.advance(millis(40))
  deadlines.add(entry, millis(100))
  env.advance(millis(100))
  t.ok((entry.calledAt ?? 0) >= 100)
})
