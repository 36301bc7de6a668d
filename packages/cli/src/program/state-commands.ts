import { limits } from '@shoal/kernel'
import type { Command } from 'commander'
import { below, does, prose, type Shell, share, wholeNumber, withCluster } from './parts.ts'

/** `status`, `explain`, `ring`, `hints`, `repair`, `bench`. */
export function declareStateCommands(program: Command, shell: Shell): void {
  declareStatus(program, shell)
  declareExplain(program, shell)
  declareRing(program, shell)
  declareHints(program, shell)
  declareRepair(program, shell)
  declareBench(program, shell)
}

function declareStatus(program: Command, shell: Shell): void {
  const command = withCluster(program.command('status').summary('how the cluster is'))
    .option('--watch [seconds]', 'again and again', wholeNumber(1, 3_600))
    .description(
      prose(`
      One screen: the verdict first, then the nodes, the balance, how far copies may be
      apart, and warnings, each with what to do. Exit code 3 if no node answers or quorum
      is lost for some keys.
      `),
    )
    .addHelpText(
      'after',
      below('shoal status', 'shoal status --watch', 'shoal status --json | jq .verdict'),
    )
  does(command, shell, async () => (await import('../commands/status.ts')).status)
}

function declareExplain(program: Command, shell: Shell): void {
  const command = withCluster(
    program
      .command('explain')
      .summary('where a key lives and who holds what of it')
      .argument('<bucket>')
      .argument('<key>'),
  )
    .description(
      prose(`
      Shows the place of a key on the ring, the nodes that should hold it, best first,
      and what each of them holds right now. With --proof each replica also shows that
      what it holds is in its Merkle tree.
      `),
    )
    .option('--proof', 'have each replica prove what it holds')
    .addHelpText('after', below('shoal explain carts 42'))
  does(command, shell, async () => (await import('../commands/explain.ts')).explain)
}

function declareRing(program: Command, shell: Shell): void {
  const command = withCluster(program.command('ring').summary('who holds how much'))
    .option('--table', 'show the nodes of every partition')
    .description(
      prose(`
      Shows of how many partitions each node holds a copy, how close that is to its share, and
      of how many it is asked first.
      `),
    )
    .addHelpText('after', below('shoal ring', 'shoal ring --table'))
  does(command, shell, async () => (await import('../commands/ring.ts')).ring)
}

function declareHints(program: Command, shell: Shell): void {
  const command = withCluster(
    program.command('hints').summary('writes kept for nodes that missed them'),
  )
    .option('--wait', 'until every hint of this moment is delivered')
    .description(
      prose(`
      Shows what the nodes owe each other: writes that one of them missed while it was down
      or too slow. They are delivered when it is back. What has become too much or too old is
      left to the comparison of copies, partition by partition.

      With --wait it first waits for the hints of all nodes that are up. Exit code 5 if some
      could not be delivered.
      `),
    )
    .addHelpText('after', below('shoal hints', 'shoal hints --wait --json'))
  does(command, shell, async () => (await import('../commands/hints.ts')).hints)
}

function declareRepair(program: Command, shell: Shell): void {
  const command = withCluster(
    program.command('repair').summary('check all copies and make them equal now'),
  )
    .option('--bucket <name>', 'make only keys of this bucket equal')
    .option('--partition <n>', 'only this partition', wholeNumber(0, limits.partitionsMax - 1))
    .option('--wait', 'until it is done')
    .option('--status', 'begin nothing, show how equal and how whole the copies are')
    .option('--pause', 'hold all background work: hints, comparisons, checks')
    .option('--resume', 'go on with background work')
    .description(
      prose(`
      Nodes compare and check their copies by themselves, all the time. This does it at once:
      every node that is up reads and verifies all its rows, replaces damaged ones by those
      of the others, and makes its copies equal to theirs. It takes no more than the
      background budget, which gives way to requests.

      With --wait it ends with exit code 5 if something could not be repaired. A pause is
      forgotten when the node restarts.
      `),
    )
    .addHelpText(
      'after',
      below('shoal repair --wait', 'shoal repair --partition 17 --wait', 'shoal repair --status'),
    )
  does(command, shell, async () => (await import('../commands/repair.ts')).repair)
}

function declareBench(program: Command, shell: Shell): void {
  const command = withCluster(program.command('bench').summary('a quick load'))
    .option('--seconds <n>', 'how long', wholeNumber(1, limits.benchSecondsMax), 10)
    .option(
      '--connections <n>',
      'requests under way at a time',
      wholeNumber(1, limits.clientConnectionsMax),
      32,
    )
    .option('--value-bytes <n>', 'size of values', wholeNumber(0, limits.valueBytesMax), 1_024)
    .option('--read-ratio <share>', 'share of reads, 0 to 1', share, 0.5)
    .option('--keys <n>', 'number of keys', wholeNumber(1, limits.benchKeysMax), 1_000)
    .option('--bucket <name>', 'where they are written', 'shoal-bench')
    .option('--consistency <level>', 'as in get and put')
    .description(
      prose(`
      Reads and writes random keys as fast as the cluster answers, and prints
      throughput, latencies and errors. What it writes expires after an hour. It shares
      the machine with whatever else runs there: compare runs, do not quote them.
      `),
    )
    .addHelpText(
      'after',
      below('shoal bench', 'shoal bench --seconds 60 --connections 64 --read-ratio 0.9'),
    )
  does(command, shell, async () => (await import('../commands/bench.ts')).bench)
}
