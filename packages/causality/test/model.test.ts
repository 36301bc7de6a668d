import t from 'tap'
import { bugs, type Labels, runCluster } from './model/cluster.ts'

const RUNS = 30_000
const BUG_RUNS = 2_000
const SEED = 'shoal-causality-1'

t.test('clusters and histories agree: no lost write, no false sibling', async (t) => {
  const labels: Labels = new Map()
  const before = process.cpuUsage()
  for (let run = 0; run < RUNS; run++) {
    const finding = runCluster(`${SEED}/${run}`, labels)
    if (finding !== undefined) {
      t.fail(`${finding.kind}: ${finding.detail}`, finding)
      return
    }
  }
  const { user, system } = process.cpuUsage(before)
  t.pass(`${RUNS} runs from seed ${SEED}`)
  t.comment(`${RUNS} runs, seed ${SEED}, ${((user + system) / 1e6).toFixed(1)} s of CPU`)
  for (const [label, times] of [...labels].sort()) t.comment(`${label}: ${times}`)

  const mustHappen = [
    'a context used late',
    'a crash lost writes that were sent',
    'a message delivered again',
    'a message lost',
    'a write left siblings',
    'a write replaced all',
    'deletes',
    'merges: keep',
    'merges: mix',
    'merges: same',
    'merges: take',
    'siblings held',
  ]
  for (const label of mustHappen)
    t.ok((labels.get(label) ?? 0) > RUNS, `${label}, more than once a run`)
})

for (const [rule, bug] of Object.entries(bugs)) {
  t.test(`found when broken: ${rule}`, async (t) => {
    const kinds = new Map<string, number>()
    let first: string | undefined
    for (let run = 0; run < BUG_RUNS; run++) {
      const finding = runCluster(`${SEED}/${bug}/${run}`, new Map(), bug)
      if (finding === undefined) continue
      if (finding.kind !== 'refused') first ??= `run ${run}, step ${finding.step}: ${finding.kind}`
      kinds.set(finding.kind, (kinds.get(finding.kind) ?? 0) + 1)
    }
    const found = [...kinds].map(([kind, times]) => `${kind} in ${times}`).join(', ')
    t.ok(first, `${found} of ${BUG_RUNS} runs; first in ${first}`)
    t.comment(`${found} of ${BUG_RUNS} runs; first in ${first}`)
  })
}
