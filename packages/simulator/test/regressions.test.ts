import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import type { Plan } from '../src/plan/plan.ts'
import { simulate } from '../src/run.ts'

/** Plans that once made something fail. Each says what. */
const folder = new URL('../../regressions/', import.meta.url)

for (const file of readdirSync(folder).sort()) {
  const { broke, plan }: { broke: string; plan: Plan } = JSON.parse(
    readFileSync(new URL(file, folder), 'utf8'),
  )
  t.test(`${file}: ${broke}`, async (t) => {
    t.match(broke, /^[A-Z].{20,}\.$/, 'a sentence says what it once broke')
    const { failures } = await simulate(plan)
    t.same(failures, [])
  })
}
