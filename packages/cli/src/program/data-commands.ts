import { limits } from '@shoal/kernel'
import { type Command, Option } from 'commander'
import { below, does, prose, type Shell, wholeNumber, withCluster } from './parts.ts'

/** `get`, `put`, `delete`, `list`. */
export function declareDataCommands(program: Command, shell: Shell): void {
  declareGet(program, shell)
  declarePut(program, shell)
  declareDelete(program, shell)
  declareList(program, shell)
}

const consistencyText =
  'one, quorum or all, with ;r=N ;w=N ;durable=N ;strict, such as "quorum;w=3"'

const withConsistency = (command: Command): Command =>
  withCluster(command).option('--consistency <level>', consistencyText)

/** Options of every command about one key. */
const withKey = (command: Command): Command =>
  withConsistency(command).option('--trace', 'show what happened to the request on its way')

/** Options of `put` and `delete`. */
const withWriting = (command: Command): Command =>
  withKey(command)
    .option('--context <token>', 'what the read or write before showed; replaces exactly that')
    .addOption(
      new Option('--blind', 'without a context, even where shoal repl has one').conflicts(
        'context',
      ),
    )
    .option('--if-match <etag>', 'only if the key has this ETag, or * for any value')
    .option('--if-none-match <etag>', 'only if the key lacks this ETag, or * for no value at all')
    .option('--idempotency-key <key>', 'repeat a write whose outcome was unknown with its key')
    .option('-q, --quiet', 'print nothing but errors')

function declareGet(program: Command, shell: Shell): void {
  const command = withKey(
    program.command('get').summary('read a key').argument('<bucket>').argument('<key>'),
  )
    .addOption(
      new Option('-f, --file <file>', 'write the value to a file; - is standard output').conflicts(
        'json',
      ),
    )
    .option('--sibling <etag>', 'one of several values')
    .option('--resolve', 'let the cluster pick among several values, the same on every node')
    .option('-q, --quiet', 'print the value alone')
    .description(
      prose(`
      Reads a key. The value goes to standard output as it was stored, byte for byte;
      its causal context goes to standard error.

      Values written without knowledge of each other are siblings. All are shown, each
      with its ETag, and the exit code is 0. With --file they go to FILE.1, FILE.2, ...
      and FILE is not written.
      `),
    )
    .addHelpText(
      'after',
      below(
        'shoal get carts 42',
        'shoal get pictures cat --file cat.jpg',
        'shoal get carts 42 --consistency one --json',
        `shoal get carts 42 --sibling '"5d6e..."'`,
      ),
    )
  does(command, shell, async () => (await import('../commands/get.ts')).get)
}

function declarePut(program: Command, shell: Shell): void {
  const command = withWriting(
    program
      .command('put')
      .summary('write a key')
      .argument('<bucket>')
      .argument('<key>')
      .argument('[value]', 'the value as text; without it standard input is read'),
  )
    .option('-f, --file <file>', 'read the value from a file; - is standard input')
    .option('--type <media-type>', 'content type: text/plain for a VALUE, none for bytes')
    .option('--encoding <coding>', 'content encoding, such as gzip')
    .option('--ttl <seconds>', 'until the value expires', wholeNumber(1, limits.ttlSecondsMax))
    .description(
      prose(`
      Writes a key. Give the context of the read before it: the write then replaces
      exactly what was seen. Without one it is blind.
      `),
    )
    .addHelpText(
      'after',
      below(
        'shoal put carts 42 milk',
        'shoal put pictures cat --file cat.jpg --type image/jpeg',
        'shoal put carts 42 "milk, bread" --context c1.AAEC...',
        'date | shoal put clocks kitchen --consistency all --ttl 60',
      ),
    )
  does(command, shell, async () => (await import('../commands/put.ts')).put)
}

function declareDelete(program: Command, shell: Shell): void {
  const command = withWriting(
    program.command('delete').summary('delete a key').argument('<bucket>').argument('<key>'),
  )
    .description(
      prose(`
      Deletes a key: what the context has seen, or blindly. A missing key is no error.
      `),
    )
    .addHelpText('after', below('shoal delete carts 42 --context c1.AAEC...'))
  does(command, shell, async () => (await import('../commands/delete.ts')).remove)
}

function declareList(program: Command, shell: Shell): void {
  const command = withConsistency(
    program.command('list').summary('list the keys of a bucket').argument('<bucket>'),
  )
    .option('--prefix <text>', 'only keys that begin with this')
    .option('--limit <keys>', 'stop after so many keys', wholeNumber(1, Number.MAX_SAFE_INTEGER))
    .option('--cursor <token>', 'go on where a listing with --limit ended')
    .description(
      prose(`
      Lists keys in the order of their bytes, one on a line. A key with control
      characters, or one that begins with a quotation mark, is shown as a JSON string.
      With --json each line is an object, the last one holds the cursor.
      `),
    )
    .addHelpText(
      'after',
      below('shoal list carts', 'shoal list carts --prefix 2026- --limit 100 --json'),
    )
  does(command, shell, async () => (await import('../commands/list.ts')).list)
}
