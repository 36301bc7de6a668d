import { limits } from '@shoal/kernel'
import { type FlagDefinition, flagDefinitions } from '@shoal/node/flags'
import { type Command, Option } from 'commander'
import { below, does, prose, type Shell, wholeNumber, withCredentials } from './parts.ts'

/** `dev`, `start`, `config`, `doctor`. */
export function declareNodeCommands(program: Command, shell: Shell): void {
  declareDev(program, shell)
  declareStart(program, shell)
  declareConfig(program, shell)
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
      `1 to ${limits.devNodesMax} (default: 3, or as many as DIR holds)`,
      wholeNumber(1, limits.devNodesMax),
    )
    .option(
      '--port <port>',
      'of the first node; the others follow',
      wholeNumber(1, DEV_PORT_MAX),
      4100,
    )
    .option('--data <dir>', 'keep the data here; without it all is gone at the end')
    .option('--chaos', 'stop nodes and cut links by HTTP, on port + 100')
    .option('--json', 'print one JSON line when the cluster is ready; lines of nodes go to stderr')
    .description(
      prose(`
      Starts a cluster of real nodes on this machine, each a process of its own, and
      shows how to talk to it. Ctrl-C stops it cleanly, a second Ctrl-C at once. A node
      that ends by itself is reported and not started again.

      With --chaos: GET /nodes; POST /nodes/n2/kill, stop, start, pause or resume. Each
      answers when it has happened. GET /links; POST /links/n1/n3/cut or heal: nodes talk
      through this process then, and neither end of a cut link is told. POST /heal makes
      all whole again.
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
  const command = withCredentials(program.command('doctor'))
    .summary('what keeps a node from running well here')
    .option('--config <file>', 'the configuration of a node, where also data and listen stand')
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
        'shoal doctor --config /etc/shoal.toml',
        'shoal doctor --url http://127.0.0.1:4100',
      ),
    )
  does(command, shell, async () => (await import('../commands/doctor.ts')).doctor)
}

/** Headings of the groups that the settings of a node form. */
const headings: Record<FlagDefinition['group'], string> = {
  node: 'This node:',
  cluster: 'The cluster:',
  security: 'Who may ask:',
  storage: 'Storage:',
  repair: 'Work in the background:',
  log: 'Log:',
  buckets: 'Buckets without properties of their own:',
}

/** Every setting of a node. Defaults and variables are read by the configuration, not here. */
function withSettings(command: Command): Command {
  for (const { flags, group, description } of flagDefinitions) {
    command.addOption(new Option(flags, description).helpGroup(headings[group]))
  }
  return command
}

function declareStart(program: Command, shell: Shell): void {
  const command = withSettings(program.command('start').summary('one node'))
    .description(
      prose(`
      Starts one node of a cluster of fixed members. It prints a line "ready" with its URL when
      it serves, and with --log json every line is JSON. SIGTERM and SIGINT let it finish what is
      under way and stop it; a second one ends it at once.

      A setting is taken from the flag, else from the environment, else from the TOML file, else
      it has its default. shoal config show --origins tells which.
      `),
    )
    .addHelpText(
      'after',
      below(
        'shoal start --node-id n1 --data ./n1 --secret-file ./secret',
        'shoal start --config /etc/shoal.toml --log json',
        'shoal start --node-id n1 --listen 10.0.0.1:4100 --data /var/lib/shoal \\',
        '  --secret-file /etc/shoal/secret --tokens-file /etc/shoal/tokens.toml \\',
        '  --tls-cert /etc/shoal/cert.pem --tls-key /etc/shoal/key.pem \\',
        '  --tls-ca /etc/shoal/ca.pem \\',
        '  --peers "n1=https://10.0.0.1:4100;zone=a,n2=https://10.0.0.2:4100;zone=b"',
      ),
    )
  does(command, shell, async () => (await import('../commands/start.ts')).start)
}

function declareConfig(program: Command, shell: Shell): void {
  const config = program.command('config').summary('the settings of a node')
  const command = withSettings(config.command('show').summary('show the settings'))
    .option('--origins', 'show where each value comes from')
    .option('--json', 'print JSON')
    .description(
      prose(`
      Shows the settings that shoal start would have with the same flags, environment and file,
      and everything that is wrong with them. Secrets are not shown.
      `),
    )
    .addHelpText('after', below('shoal config show --origins --config /etc/shoal.toml'))
  does(command, shell, async () => (await import('../commands/config.ts')).showConfig)
}
