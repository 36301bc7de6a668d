import { limits } from '@shoal/kernel'
import { type Command, InvalidArgumentError } from 'commander'
import { below, does, prose, type Shell, wholeNumber } from './parts.ts'

/** `secure init`, `secure node`, `secure add-token`, `secure tokens`, `secure revoke`. */
export function declareSecureCommands(program: Command, shell: Shell): void {
  const secure = program.command('secure').summary('certificates and tokens')
  declareInit(secure, shell)
  declareNode(secure, shell)
  declareAddToken(secure, shell)
  declareTokens(secure, shell)
  declareRevoke(secure, shell)
}

const DAYS_MAX = 36_500
/** Longer ones are refused by some clients. */
const NODE_DAYS = 825
const AUTHORITY_DAYS = 3_650

const several = (text: string, before: readonly string[] = []): readonly string[] => [
  ...before,
  ...text
    .split(',')
    .map((each) => each.trim())
    .filter(Boolean),
]

function declareInit(secure: Command, shell: Shell): void {
  const command = secure
    .command('init')
    .summary('make an authority, certificates of nodes, a secret and a first token')
    .argument('<dir>', 'a new folder for them')
    .option('--peers <members>', 'all members, as shoal start takes them, with https URLs')
    .option('--nodes <n>', 'or so many on this machine', wholeNumber(1, limits.devNodesMax), 3)
    .option('--host <name>', 'a further name of every node, such as a proxy; repeatable', several)
    .option('--days <n>', 'life of the certificates of nodes', wholeNumber(1, DAYS_MAX), NODE_DAYS)
    .option('--ca-days <n>', 'life of the authority', wholeNumber(1, DAYS_MAX), AUTHORITY_DAYS)
    .option('--json', 'print JSON')
    .description(
      prose(`
      Makes all that a cluster with TLS, certificates between nodes and tokens needs, in one
      folder: a folder for each node, with its configuration, to be copied to its machine; the
      key of the authority, to be kept away from all of them; and the first token, which may do
      everything. Changes no folder that is there.
      `),
    )
    .addHelpText(
      'after',
      below(
        'shoal secure init ./secure --peers n1=https://10.0.0.1:4100,n2=https://10.0.0.2:4100',
        'shoal start --config ./secure/n1/shoal.toml',
        'shoal status --url https://10.0.0.1:4100 --ca ./secure/ca.pem --token-file ./secure/token',
      ),
    )
  does(command, shell, async () => (await import('../commands/secure-init.ts')).secureInit)
}

function declareNode(secure: Command, shell: Shell): void {
  const command = secure
    .command('node')
    .summary('make or renew the certificate of one node')
    .argument('<dir>', 'the folder that shoal secure init made, with the key of the authority')
    .argument('<member>', 'ID=URL, as in --peers')
    .option('--host <name>', 'a further name of the node; repeatable', several)
    .option('--days <n>', 'life of the certificate', wholeNumber(1, DAYS_MAX), NODE_DAYS)
    .description(
      prose(`
      Writes cert.pem and key.pem into the folder of the node, and what else it lacks. A node
      that runs takes them within seconds of being copied to where its configuration says.
      `),
    )
    .addHelpText('after', below('shoal secure node ./secure n4=https://10.0.0.4:4100'))
  does(command, shell, async () => (await import('../commands/secure-init.ts')).secureNode)
}

const tokensPath = ['<path>', 'a file of tokens, or a folder that shoal secure init made'] as const

function declareAddToken(secure: Command, shell: Shell): void {
  const command = secure
    .command('add-token')
    .summary('make a token')
    .argument(...tokensPath)
    .requiredOption('--name <name>', 'who or what it is for')
    .requiredOption('--scopes <scopes>', 'of read, write, admin, separated by commas', several)
    .option(
      '--buckets <names>',
      'which it is for; one that ends in * stands for all that begin so',
      several,
    )
    .option('--no-buckets', 'for no bucket: to read metrics and state alone')
    .option('--days <n>', 'life of the token; without it for ever', wholeNumber(1, DAYS_MAX))
    .option('--rate <n>', 'operations a second', rate)
    .description(
      prose(`
      Prints the token, once: the file holds only its hash. Nodes take it within seconds of the
      file being copied to where their configuration says.
      `),
    )
    .addHelpText(
      'after',
      below(
        'shoal secure add-token ./secure --name shop --scopes read,write --buckets "carts,shop-*"',
        'shoal secure add-token ./secure --name prometheus --scopes read --no-buckets',
      ),
    )
  does(command, shell, async () => (await import('../commands/secure-tokens.ts')).addToken)
}

const rate = (text: string): number => {
  if (/^\d+$/.test(text) && Number(text) >= 1 && Number(text) <= limits.rateMax) return Number(text)
  throw new InvalidArgumentError(`It is a whole number from 1 to ${limits.rateMax}.`)
}

function declareTokens(secure: Command, shell: Shell): void {
  const command = secure
    .command('tokens')
    .summary('list the tokens of a file')
    .argument(...tokensPath)
    .option('--json', 'print JSON')
    .addHelpText('after', below('shoal secure tokens ./secure'))
  does(command, shell, async () => (await import('../commands/secure-tokens.ts')).listTokens)
}

function declareRevoke(secure: Command, shell: Shell): void {
  const command = secure
    .command('revoke')
    .summary('take a token out of a file')
    .argument(...tokensPath)
    .argument('<id>', 'of the token, as shoal secure tokens lists it')
    .addHelpText('after', below('shoal secure revoke ./secure k3v9x2ab'))
  does(command, shell, async () => (await import('../commands/secure-tokens.ts')).revokeToken)
}
