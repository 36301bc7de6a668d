/**
 * `npm run bench`: the goals table, real system, bare parts and etcd in one run, so that ratios
 * mean something on a machine whose speed changes by the hour.
 *
 *     npm run bench -- [--seconds 20] [--quick] [--only puts,gets] [--write]
 */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { formatGoals, type Goal, judgeGoal } from './goals.ts'
import {
  type Figures,
  groupSize,
  measureAtRate,
  measureBareParts,
  measureClient,
  measureEtcd,
  measureFailover,
  measureGets,
  measureIdle,
  measureLoopDelay,
  measureMemory,
  measurePuts,
  waitForAll,
} from './measures.ts'
import { describeMachine, formatReport } from './report.ts'
import { startEtcd, startShoal } from './servers.ts'

const { values: flags } = parseArgs({
  options: {
    seconds: { type: 'string', default: '20' },
    quick: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    write: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
const seconds = flags.quick ? 4 : Number(flags.seconds)
const only = flags.only === '' ? undefined : new Set(flags.only.split(','))
const wants = (part: string): boolean => only === undefined || only.has(part)

const GROWTH_RATE = 250
const GROWTH_WARM_UP_SECONDS = 40

const goals: Goal[] = []
const notes: string[] = []

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

function keep(goal: Goal): void {
  goals.push(goal)
  say(`${goal.verdict.padEnd(8)} ${goal.measure}: ${goal.got}, asked ${goal.must}`)
}

const describe = ({ perSecond, p50, p99, failed }: Figures): string =>
  `${perSecond.toFixed(0)}/s, p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(0)} ms, ${failed} failed`

async function main(): Promise<void> {
  say(describeMachine())
  const puts = await benchCluster()
  if (puts && wants('etcd')) await benchEtcd(puts)
  if (wants('growth')) await benchGrowth()
  say(`\n${formatGoals(goals)}`)
  if (flags.write) writeFileSync('docs/BENCHMARKS.md', formatReport({ goals, notes, seconds }))
}

async function benchCluster(): Promise<Figures | undefined> {
  const servers = await startShoal(3)
  try {
    await measurePuts(servers, Math.min(seconds, 8))
    const puts = await measurePuts(servers, seconds)
    keep(
      judgeGoal(
        { measure: 'durable quorum PUT, CPU per op', unit: ' µs', must: 95, stretch: 65 },
        puts.cpuMicros,
        describe(puts),
      ),
    )
    const group = await groupSize(servers)
    notes.push(`Rows in a group during the PUTs: ${group.toFixed(1)}.`)
    if (wants('gets')) {
      const gets = await measureGets(servers, seconds)
      keep(
        judgeGoal(
          { measure: 'quorum GET (hit), CPU per op', unit: ' µs', must: 55, stretch: 40 },
          gets.cpuMicros,
          describe(gets),
        ),
      )
    }
    if (wants('client')) {
      const batched = await measureClient(servers, seconds)
      keep(
        judgeGoal(
          {
            measure: 'PUT through the client package, batched, CPU per op',
            unit: ' µs',
            must: 60,
            stretch: 45,
          },
          batched.cpuMicros,
          `${batched.perSecond.toFixed(0)}/s, ${batched.failed} failed`,
        ),
      )
    }
    if (wants('idle')) {
      const idle = await measureIdle(servers, Math.min(seconds, 10))
      keep(
        judgeGoal(
          {
            measure: 'idle latency, one client, durable quorum PUT, p50',
            unit: ' ms',
            must: 1.5,
            stretch: 0.8,
            digits: 2,
          },
          idle.p50,
        ),
      )
    }
    if (wants('delay')) {
      const delay = await measureLoopDelay(servers, puts.perSecond, Math.min(seconds, 15))
      keep(
        judgeGoal(
          { measure: 'event-loop delay p99 at 70 % load', unit: ' ms', must: 5, stretch: 2.5 },
          delay,
        ),
      )
    }
    if (wants('failover')) await benchFailover(servers)
    if (wants('parts')) {
      const parts = await measureBareParts(group, Math.min(seconds, 5))
      const { http, row, cachedRow, roundTrip, sum } = parts
      const rows = `3 × ${row.toFixed(1)} row`
      const trips = `2 × ${roundTrip.toFixed(1)} trip`
      const addends = `${http.toFixed(1)} HTTP + ${rows} + ${trips}`
      notes.push(
        'A bare row reads its version from the store. With the version in memory, as nearly ' +
          `always in the cluster, it costs ${cachedRow.toFixed(1)} µs, ` +
          `and the ratio is ${(puts.cpuMicros / (sum + 3 * (cachedRow - row))).toFixed(2)}.`,
      )
      keep(
        judgeGoal(
          {
            measure: 'PUT to the sum of its bare parts',
            unit: '×',
            must: 1.5,
            stretch: 1.15,
            digits: 2,
          },
          puts.cpuMicros / sum,
          `${addends} = ${sum.toFixed(1)} µs`,
        ),
      )
    }
    return puts
  } finally {
    await servers.stop()
    if (wants('memory')) await benchMemory()
  }
}

async function benchFailover(servers: Awaited<ReturnType<typeof startShoal>>): Promise<void> {
  const last = servers.targets.length - 1
  const killed = await measureFailover(servers, 'SIGKILL', 12)
  keep(
    judgeGoal(
      {
        measure: 'one node killed under load: requests failed after retry',
        unit: '',
        must: 0,
        stretch: 0,
        digits: 0,
      },
      killed.failed,
    ),
  )
  keep(
    judgeGoal(
      {
        measure: 'one node killed under load: time to 70 % of throughput',
        unit: ' ms',
        must: 1_000,
        stretch: 300,
        digits: 0,
      },
      killed.dipMillis,
    ),
  )
  await servers.restart(last)
  await waitForAll(servers)
  const frozen = await measureFailover(servers, 'SIGSTOP', 18)
  keep(
    judgeGoal(
      {
        measure: 'one node frozen under load: requests failed after retry',
        unit: '',
        must: 0,
        stretch: 0,
        digits: 0,
      },
      frozen.failed,
    ),
  )
  keep(
    judgeGoal(
      {
        measure: 'one node frozen under load: time to 70 % of throughput',
        unit: ' ms',
        must: 3_000,
        stretch: 1_000,
        digits: 0,
      },
      frozen.dipMillis,
    ),
  )
  servers.signal(last, 'SIGCONT')
  await waitForAll(servers)
}

async function benchMemory(): Promise<void> {
  const keys = flags.quick ? 100_000 : 1_000_000
  const servers = await startShoal(3)
  try {
    const megabytes = await measureMemory(servers, keys)
    keep(
      judgeGoal(
        {
          measure: `memory per node at ${keys.toLocaleString('en')} keys of 100 B`,
          unit: ' MiB',
          must: 400,
          stretch: 250,
          digits: 0,
        },
        megabytes,
      ),
    )
  } finally {
    await servers.stop()
  }
}

async function benchEtcd(puts: Figures): Promise<void> {
  if (spawnSync('etcd', ['--version']).error) {
    notes.push('etcd is not on this machine: the line is left out (Debian: etcd-server).')
    return
  }
  const servers = await startEtcd()
  try {
    await measureEtcd(servers, Math.min(seconds, 5))
    const etcd = await measureEtcd(servers, seconds)
    const note = `etcd ${etcd.cpuMicros.toFixed(0)} µs, ${describe(etcd)}`
    keep(
      judgeGoal(
        {
          measure: "ratio to etcd's PUT in the same run",
          unit: '×',
          must: 0.4,
          stretch: 0.25,
          digits: 2,
        },
        puts.cpuMicros / etcd.cpuMicros,
        note,
      ),
    )
  } finally {
    await servers.stop()
  }
}

/** A request touches N nodes however many there are: the same load for each node, more nodes. */
async function benchGrowth(): Promise<void> {
  const costs: number[] = []
  for (const count of [3, 12]) {
    const servers = await startShoal(count)
    try {
      // Each node has its own code to compile.
      await measureAtRate(servers, { seconds: GROWTH_WARM_UP_SECONDS, perNode: GROWTH_RATE })
      const { cpuMicros } = await measureAtRate(servers, { seconds, perNode: GROWTH_RATE })
      costs.push(cpuMicros)
    } finally {
      await servers.stop()
    }
  }
  const [three = Number.NaN, twelve = Number.NaN] = costs
  keep(
    judgeGoal(
      {
        measure: 'CPU per PUT, 12 nodes to 3, same N, same load per node',
        unit: '×',
        must: 1.1,
        stretch: 1.02,
        digits: 2,
      },
      twelve / three,
      `${GROWTH_RATE} PUT/s for each node: ${three.toFixed(0)} and ${twelve.toFixed(0)} µs`,
    ),
  )
}

const HELP = `npm run bench -- [--seconds 20] [--quick] [--only PART,...] [--write]

Parts: gets, client, idle, delay, failover, parts, memory, etcd, growth. PUTs are always measured.
--write keeps the table in docs/BENCHMARKS.md.`

if (flags.help) say(HELP)
else await main()
