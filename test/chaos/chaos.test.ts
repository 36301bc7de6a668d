/** The short form of `npm run chaos`: new faults each time, from a seed that is told. */
import t from 'tap'
import { faultKinds, networkKinds } from './plan.ts'
import { describeReport } from './report.ts'
import { fitToMachine, runChaos } from './run.ts'

const minutes = Number(process.env.SHOAL_TEST_CHAOS_MINUTES ?? 3)
const seed = Number(process.env.SHOAL_TEST_SEED ?? Math.floor(Math.random() * 1e6))

/** Healing and judging the last round may go beyond the minutes asked for. */
t.setTimeout(minutes * 60_000 + 240_000)
t.comment(`seed ${seed}: npm run chaos -- --seed ${seed} --minutes ${minutes} --round-seconds 12`)

const { fit, leftOut } = fitToMachine({
  seed,
  minutes,
  faults: faultKinds,
  nodes: [3, 5],
  networks: networkKinds,
  roundMs: 12_000,
  roundsPerCluster: 2,
})
for (const reason of leftOut) t.comment(`left out: ${reason}`)

const report = await runChaos({
  ...fit,
  from: 0,
  rounds: Number.MAX_SAFE_INTEGER,
  workers: 6,
  equalBy: 'itself',
  signal: new AbortController().signal,
  tell: (line) => t.comment(line),
})
for (const line of describeReport(report, { seed })) t.comment(line)
t.same(report.violations.slice(0, 10), [], 'nothing lost, back, invented or unequal')
t.same(report.surprises.slice(0, 10), [], 'and nothing that no fault explains')
t.ok(report.counts.acknowledged > 0, `${report.counts.acknowledged} writes were acknowledged`)
t.ok(report.rounds > 0, `${report.rounds} rounds`)
