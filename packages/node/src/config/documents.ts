/** @shoal/node/documents: the page of `docs/` that is written from the table of settings. */
import { limits } from '@shoal/kernel'
import { readText, wantedOf } from './readers.ts'
import { type Group, type Kind, type Setting, settings } from './schema.ts'

/** The file of the page. A test reads it, so that it stays right. */
export const exampleFile = `node-id = "n1"
listen = "10.0.0.1:4100"
data = "/var/lib/shoal"
secret-file = "/etc/shoal/secret"
tokens-file = "/etc/shoal/tokens.toml"
tls-cert = "/etc/shoal/cert.pem"
tls-key = "/etc/shoal/key.pem"
tls-ca = "/etc/shoal/ca.pem"
value-bytes-max = "4MiB"

[[members]]
id = "n1"
url = "https://10.0.0.1:4100"
zone = "a"

[[members]]
id = "n2"
url = "https://10.0.0.2:4100"
zone = "b"
weight = 2

[[members]]
id = "n3"
url = "https://10.0.0.3:4100"
zone = "c"

[buckets]
consistency = "quorum"
ttl = 86400`

/** The members of the file, as a flag. */
export const examplePeers =
  'n1=https://10.0.0.1:4100;zone=a,' +
  'n2=https://10.0.0.2:4100;zone=b;weight=2,' +
  'n3=https://10.0.0.3:4100;zone=c'

/** The text of `docs/configuration.md`. */
export function configurationPage(): string {
  return `${[introduction, ...groups.map(section), members, secret, open, show].join('\n\n')}\n`
}

const groups: readonly { readonly group: Group; readonly title: string }[] = [
  { group: 'node', title: 'This node' },
  { group: 'cluster', title: 'The cluster' },
  { group: 'security', title: 'Who may ask' },
  { group: 'storage', title: 'What it stores' },
  { group: 'repair', title: 'Work in the background' },
  { group: 'log', title: 'The log' },
  { group: 'buckets', title: 'Buckets without properties of their own' },
]

function section({ group, title }: { group: Group; title: string }): string {
  const rows = settings.filter((each) => each.group === group).map(rowOf)
  return [
    `## ${title}`,
    table(['flag', 'variable', 'key', 'value', 'default', 'meaning'], rows),
  ].join('\n\n')
}

const code = (text: string | undefined): string => (text === undefined ? '–' : `\`${text}\``)

function rowOf(setting: Setting): string[] {
  const { flag, variable, key, kind, description } = setting
  const meaning = `${description[0]?.toUpperCase()}${description.slice(1)}.`
  return [code(flag), code(variable), code(key), valueWords(kind), defaultOf(setting), meaning]
}

const valueWords = (kind: Kind): string =>
  kind.type === 'choice' ? kind.of.map(code).join(', ') : wantedOf(kind)

function defaultOf({ kind, default: text, defaultWords, required }: Setting): string {
  if (required) return 'required'
  if (text === undefined) return defaultWords === '' ? '–' : defaultWords
  const reading = readText(kind, text)
  return code('shown' in reading ? reading.shown : text)
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n')
}

const introduction = `# Configuration

<!-- Written by \`npm run docs\` from packages/node/src/config. Change it there. -->

One node is told what it is by flags, by variables of its environment, and by a TOML file that
\`--config\` or \`SHOAL_CONFIG\` names. Where several say something, a flag wins over a variable,
a variable over the file, and the file over the default. A value that another one hides is not
read.

Unknown flags, variables that begin with \`SHOAL_\` and keys of the file are refused, with the
name that was probably meant. So is every value out of bounds. All that is wrong is told at once,
each with its place: \`--replicas\`, \`SHOAL_REPLICAS\`, \`shoal.toml: replicas\`. Empty
variables count as not there, and those that Kubernetes adds for a service called \`shoal\` are
passed over.

The same node by flags, and by a file:

\`\`\`console
$ shoal start --node-id n1 --listen 10.0.0.1:4100 --data /var/lib/shoal \\
    --secret-file /etc/shoal/secret --tokens-file /etc/shoal/tokens.toml \\
    --tls-cert /etc/shoal/cert.pem --tls-key /etc/shoal/key.pem \\
    --tls-ca /etc/shoal/ca.pem --value-bytes-max 4MiB \\
    --peers '${examplePeers.replaceAll(',', `,\n${' '.repeat(13)}`)}' \\
    --bucket-ttl 86400
$ shoal start --config /etc/shoal/shoal.toml
\`\`\`

\`\`\`toml
${exampleFile}
\`\`\`

Amounts are bytes, or have a unit: \`512KiB\`, \`4MiB\`, \`1GiB\`. Relative paths start from
the working directory; those in the file start from the folder of the file.`

const grouped = (value: number): string => value.toLocaleString('en-US')

const weights = `${limits.memberWeightMin} to ${grouped(limits.memberWeightMax)}`

const attributeTable = table(
  ['attribute', 'meaning'],
  [
    ['`zone`', 'Where it stands. Copies of a key are spread over zones.'],
    ['`host`', 'The machine, where several nodes share one. Copies are spread over machines.'],
    ['`weight`', `Its share compared to others, ${weights}; 1 when left out.`],
    ['`peer`', 'Where other nodes reach it, when it has `--peer-listen`.'],
  ],
)

const members = `## Members

\`--peers\` lists every member of the cluster, this node included, as \`ID=URL\` separated by
commas. The list must be the same on every node. Attributes follow a URL, each after a semicolon;
in the file they are keys of a table \`[[members]]\`, which has \`id\` and \`url\` besides.

${attributeTable}

The URL is the one under which others reach the node. Behind a proxy it differs from
\`--listen\`; a different port is warned about, because without a proxy it is a mistake.`

const secretBytes = `${limits.secretBytesMin} to ${grouped(limits.secretBytesMax)} bytes`

const secret = `## The secret

Nodes of one cluster know each other by a secret of ${secretBytes}, the same on every node.
It also seals the causal contexts that clients carry. It is not a flag, because others on the
machine can see those, and not a key of the file, which is often shared. White space around it is
dropped.

\`\`\`console
$ head -c 32 /dev/urandom | base64 > secret
$ chmod 600 secret
\`\`\``

const open = `## Listening beyond this machine

A node refuses to listen where other machines reach it unless clients need tokens
(\`--tokens-file\`), or \`--allow-open\` says that the network keeps strangers out. The listener
for peers needs no such word: it always asks for the secret, and for a certificate where
\`--tls-ca\` is set. \`shoal secure init\` makes all of these files. What they protect from, and
from what not, stands in [security.md](security.md).`

const show = `## Where a value comes from

\`shoal config show --origins\` takes the same flags, variables and file as \`shoal start\`,
and shows each setting with its place. It does so for a configuration that is wrong, too.`
