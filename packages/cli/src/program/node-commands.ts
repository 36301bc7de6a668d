import type { Command } from 'commander'
import { DEV_NODES_MAX } from '../dev/plan.ts'
import { below, does, prose, type Shell, wholeNumber } from './parts.ts'

/** `dev`, `start`, `config`, `doctor`. */
export function declareNodeCommands(program: Command, shell: Shell): void {
  declareDev(program, shell)
  declareStart(program, shell)
  declareDoctor(program, shell)
}

/** The last node and the control interface need ports below 65,536 too. */
const DEV_PORT_MAX = 65_435

function declareDev(program: Command, shell: Shell): void {
  const command = program
    .command('dev')
    .summary('a local cluster')
    .argument('[parameters...]', 'after --, for every node: see shoal start --help')
    .option(
      '--nodes <n>',
      `1 to ${DEV_NODES_MAX} (default: 3, or as many as DIR holds)`,
      wholeNumber(1, DEV_NODES_MAX),
    )
    .option(
      '--port <port>',
      'of the first node; the others follow',
      wholeNumber(1, DEV_PORT_MAX),
      4100,
    )
    .option('--data <dir>', 'keep the data here; without it all is gone at the end')
    .option('--chaos', 'kill, pause and start nodes by HTTP, on port + 100')
    .option('--json', 'print one JSON line when the cluster is ready; lines of nodes go to stderr')
    .description(
      prose(`
      Starts a cluster of real nodes on this machine, each a process of its own, and
      shows how to talk to it. Ctrl-C stops it cleanly, a second Ctrl-C at once. A node
      that ends by itself is reported and not started again.

      With --chaos: GET /nodes; POST /nodes/n2/kill, stop, start, pause or resume. Each
      answers when it has happened.
      `),
    )
    .addHelpText(
      'after',
      below(
        'shoal dev',
        'shoal dev --nodes 5 --port 5000 --data ./cluster',
        'shoal dev --chaos',
        'shoal dev -- --partitions 64',
      ),
    )
  does(command, shell, async () => (await import('../commands/dev.ts')).dev)
}

function declareDoctor(program: Command, shell: Shell): void {
  const command = program
    .command('doctor')
    .summary('what keeps a node from running well here')
    .option('--data <dir>', 'a data directory: whose it is, its room, the speed of its disk')
    .option('--listen <host:port>', 'an address a node is to listen on')
    .option('--url <url>', 'a node: is the cluster whole, do the clocks agree')
    .option('--timeout <ms>', 'milliseconds for each request', wholeNumber(1, 60_000), 5_000)
    .option('--json', 'print JSON')
    .description(
      prose(`
      Looks at this machine as a node would meet it: platform, Node.js, limits, disk,
      ports, and the clocks of a cluster. Each finding says what to do. Exit code 5 if
      anything failed.
      `),
    )
    .addHelpText(
      'after',
      below(
        'shoal doctor',
        'shoal doctor --data /var/lib/shoal --listen 10.0.0.5:4100',
        'shoal doctor --url http://127.0.0.1:4100',
      ),
    )
  does(command, shell, async () => (await import('../commands/doctor.ts')).doctor)
}

function declareStart(program: Command, shell: Shell): void {
  const command = program
    .command('start')
    .summary('one node')
    .option('--node-id <id>', '')
    .option('--listen <a>', '')
    .option('--data <a>', '')
    .option('--peers <a>', '')
    .option('--secret-file <a>', '')
    .option('--replicas <a>', '')
    .option('--partitions <a>', '')
    .option('--log <a>', '')
  does(command, shell, async () => (await import('../commands/start.ts')).start)
}
