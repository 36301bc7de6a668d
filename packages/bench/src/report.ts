import { execFileSync, spawnSync } from 'node:child_process'
import { cpus, totalmem } from 'node:os'
import { version } from '@shoal/node'
import { formatGoals, type Goal } from './goals.ts'

/** What the figures were measured on, in a line. */
export function describeMachine(): string {
  const [cpu] = cpus()
  const etcd = spawnSync('etcd', ['--version'], { encoding: 'utf8' }).stdout?.split('\n')[0] ?? ''
  const date = new Date().toISOString().slice(0, 10)
  return [
    `${date}, Shoal ${version} at ${commit()}, Node ${process.version}`,
    `${cpus().length} × ${cpu?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB`,
    etcd,
  ]
    .filter((line) => line !== '')
    .join('; ')
}

function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim()
  } catch {
    return 'no commit'
  }
}

/** The page `docs/BENCHMARKS.md`. */
export function formatReport(parts: {
  readonly goals: readonly Goal[]
  readonly notes: readonly string[]
  readonly seconds: number
}): string {
  return `# Benchmarks

Made by \`npm run bench -- --write\`. CPU time is that of all server processes with all their
threads; the load generator runs on the same cores and is not counted. Values of 1 KiB, 64
connections spread over three nodes, every write synced on its replicas.

Throughput on a shared machine says little, and CPU time rises with whatever else runs on it: etcd
cost 225 to 264 µs per PUT on the machine for which the limits were set, quiet. Compare that with
what it cost here; ratios within one run say most.

${describeMachine()}. Each measure ${parts.seconds} s.

${formatGoals(parts.goals)}

${parts.notes.map((note) => `- ${note}`).join('\n')}
${LEFT}`
}

const LEFT = `
## What the profile says is left

Of the CPU time of a PUT by 64 connections (main threads, sampled for 5 s): a quarter is the kernel
(sockets, the write of the log, waking threads), 15 % RocksDB on the main thread, 14 % built-in
functions of V8, 12 % the rest of V8 and N-API, 5 % copying and allocation; no function of this
repository has more than 2 %. Threads beside the main one add a tenth, nearly all of it the sync.

- RocksDB inserts six rows into memtables for one PUT: a row and a version on three nodes. One
  insertion costs about 1.5 µs and waits mostly for memory. Huge pages for the memtables made the
  rows an eighth cheaper and nothing else; large pages for Node's code, larger young generations
  and sorted batches made no difference that could be told from noise.
- One sync costs 110 to 240 µs of CPU, most of it in the kernel, shared by the rows of its group.
- A read of versions on the thread pool costs 230 to 270 µs for a group of 23, which the version
  cache saves in the cluster.
- Through the client package the groups have 57 rows instead of 23, and a third of the time is the
  write itself. JSON costs about 5 %; 1,024 operations in flight instead of 256 cost a fifth less.
- The delay of the event loop at 70 % load is mostly waiting for one of the two cores, which four
  busy processes share.
`
