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
costs 225 to 264 µs per PUT on this machine when it is quiet. Ratios within one run say most.

${describeMachine()}. Each measure ${parts.seconds} s.

${formatGoals(parts.goals)}

${parts.notes.map((note) => `- ${note}`).join('\n')}
${LEFT}`
}

const LEFT = `
## What the profile says is left

- More than half of a PUT is storage: three rows, each two insertions into memtables, its share of
  one write of the log and of one sync. Bare, at the same group size, a row costs what the line of
  the bare parts says; the rest of the path adds a fifth.
- A tenth of the processor time is context switches around the sync and the sockets.
- The client sent batches of about 13 operations when each turn's batch left at once. With at most
  two under way for each node a batched PUT costs 129 µs instead of 144; storage and JSON are the
  rest.
- Half of the memory beyond the store is heap that V8 has grown into and does not need.
- Twelve nodes on two cores compile their code twelve times and make small groups; the line says
  more about this machine than about the ring.
`
