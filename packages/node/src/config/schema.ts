/**
 * Everything a node can be told, in one table.
 *
 * Flags, environment variables, keys of the file, help, documentation and `config show` all follow
 * from it. Where they were written down apart, one of them would always be behind. Defaults are
 * texts, read by the reader that reads what people write.
 */
import { limits } from '@shoal/kernel'
import { formatBytes } from './bytes.ts'

/** What a setting is. `readers.ts` knows how each is written. */
export type Kind =
  | {
      readonly type: 'node id' | 'address' | 'path' | 'secret' | 'members' | 'consistency' | 'hours'
    }
  | { readonly type: 'switch' }
  | { readonly type: 'choice'; readonly of: readonly string[] }
  | { readonly type: 'whole'; readonly min: number; readonly max: number }
  | { readonly type: 'power of two'; readonly min: number; readonly max: number }
  | { readonly type: 'bytes'; readonly min: number; readonly max: number }

interface Row {
  readonly group: Group
  readonly kind: Kind
  /** What stands for the value in help, `<host:port>`. */
  readonly placeholder?: string
  /** As one would write it. */
  readonly default?: string
  /** In words, where the default follows from something else. */
  readonly defaultWords?: string
  readonly required?: true
  /** The key in the file where it is not the name; with a dot: in a table. `false`: not there. */
  readonly key?: string | false
  readonly flag?: false
  /** For help and docs: lower case, no full stop. */
  readonly description: string
}

export type Group = 'node' | 'cluster' | 'security' | 'storage' | 'repair' | 'log' | 'buckets'

const table = {
  config: {
    group: 'node',
    kind: { type: 'path' },
    placeholder: '<file>',
    key: false,
    description: 'a TOML file with any of these settings',
  },
  nodeId: {
    group: 'node',
    kind: { type: 'node id' },
    placeholder: '<id>',
    required: true,
    description: 'its name for ever: survives restart and change of address',
  },
  listen: {
    group: 'node',
    kind: { type: 'address' },
    placeholder: '<host:port>',
    default: '127.0.0.1:4100',
    description: 'where clients reach it, and peers unless peer-listen is set',
  },
  peerListen: {
    group: 'node',
    kind: { type: 'address' },
    placeholder: '<host:port>',
    defaultWords: 'same as listen',
    description: 'where peers reach it, apart from clients',
  },
  chaosControl: {
    group: 'node',
    kind: { type: 'address' },
    placeholder: '<host:port>',
    defaultWords: 'none',
    description: 'where a local cluster lets faults be made, for the switches of the console',
  },
  allowOpen: {
    group: 'node',
    kind: { type: 'switch' },
    default: 'false',
    description: 'listen beyond this machine although clients are asked for no tokens',
  },
  data: {
    group: 'node',
    kind: { type: 'path' },
    placeholder: '<dir>',
    required: true,
    description: 'its data directory, made if missing; no other node may use it',
  },
  peers: {
    group: 'cluster',
    kind: { type: 'members' },
    placeholder: '<members>',
    key: 'members',
    defaultWords: 'this node alone',
    description: 'all members, this node included, alike on every node: n1=URL,n2=URL',
  },
  secretFile: {
    group: 'cluster',
    kind: { type: 'path' },
    placeholder: '<file>',
    description: 'holds the secret of the cluster, alike on every node',
  },
  secret: {
    group: 'cluster',
    kind: { type: 'secret' },
    flag: false,
    key: false,
    description: 'the secret itself, instead of a file',
  },
  replicas: {
    group: 'cluster',
    kind: { type: 'whole', min: 1, max: limits.replicasMax },
    placeholder: '<n>',
    default: '3',
    description: 'copies of each key, alike on every node',
  },
  partitions: {
    group: 'cluster',
    kind: { type: 'power of two', min: limits.partitionsMin, max: limits.partitionsMax },
    placeholder: '<n>',
    default: String(limits.partitionsDefault),
    description: 'slices of the ring, alike on every node, never to be changed',
  },
  tokensFile: {
    group: 'security',
    kind: { type: 'path' },
    placeholder: '<file>',
    description: 'the tokens that clients need, hashed; without it everyone may do everything',
  },
  tlsCert: {
    group: 'security',
    kind: { type: 'path' },
    placeholder: '<file>',
    description: 'certificate of this node in PEM, with those between it and its authority',
  },
  tlsKey: {
    group: 'security',
    kind: { type: 'path' },
    placeholder: '<file>',
    description: 'private key of that certificate in PEM',
  },
  tlsCa: {
    group: 'security',
    kind: { type: 'path' },
    placeholder: '<file>',
    description: 'authority of the certificates of all nodes; peers then have to show one',
  },
  rateLimit: {
    group: 'security',
    kind: { type: 'whole', min: 0, max: limits.rateMax },
    placeholder: '<n>',
    default: '0',
    description: 'operations a second for each token, or address without tokens; 0 for no bound',
  },
  auditLog: {
    group: 'security',
    kind: { type: 'path' },
    placeholder: '<file>',
    defaultWords: 'the log',
    description: 'where administrative calls and refusals are written, one JSON object a line',
  },
  durability: {
    group: 'storage',
    kind: { type: 'choice', of: ['fsync', 'memory'] },
    default: 'fsync',
    description: 'acknowledge writes when they are on disk, or before',
  },
  valueBytesMax: {
    group: 'storage',
    kind: { type: 'bytes', min: 1, max: limits.valueBytesMax },
    placeholder: '<bytes>',
    default: formatBytes(limits.valueBytesDefault),
    description: 'largest value that clients may store',
  },
  versionCacheBytes: {
    group: 'storage',
    kind: { type: 'bytes', min: 0, max: limits.versionCacheBytesMax },
    placeholder: '<bytes>',
    default: formatBytes(limits.versionCacheBytesDefault),
    description: 'memory for versions, so that most writes read nothing; 0 for none',
  },
  repairQuietHours: {
    group: 'repair',
    key: 'repair.quiet-hours',
    kind: { type: 'hours' },
    placeholder: '<hours>',
    defaultWords: 'none',
    description: 'in these background work takes as little as it can: 08:00-12:00,22:00-02:00',
  },
  log: {
    group: 'log',
    kind: { type: 'choice', of: ['text', 'json'] },
    default: 'text',
    description: 'form of the log: lines for people, or one JSON object a line',
  },
  logLevel: {
    group: 'log',
    kind: { type: 'choice', of: ['info', 'warn', 'error'] },
    default: 'info',
    description: 'the least that is logged',
  },
  slowRequest: {
    group: 'log',
    kind: { type: 'whole', min: 0, max: limits.timeoutMax },
    placeholder: '<ms>',
    default: '500',
    description: 'requests that take longer are logged, without key and value; 0 for none',
  },
  bucketConsistency: {
    group: 'buckets',
    key: 'buckets.consistency',
    kind: { type: 'consistency' },
    placeholder: '<level>',
    default: 'quorum',
    description: 'of requests without the header, in its words: one, quorum;r=1',
  },
  bucketConflicts: {
    group: 'buckets',
    key: 'buckets.conflicts',
    kind: { type: 'choice', of: ['siblings', 'lww'] },
    default: 'siblings',
    description: 'keep all concurrent values, or the last written by the clock',
  },
  bucketBlindWrites: {
    group: 'buckets',
    key: 'buckets.blind-writes',
    kind: { type: 'choice', of: ['overwrite', 'sibling', 'reject'] },
    default: 'overwrite',
    description: 'what a write without context does to the values that are there',
  },
  bucketTtl: {
    group: 'buckets',
    key: 'buckets.ttl',
    kind: { type: 'whole', min: 0, max: limits.ttlSecondsMax },
    placeholder: '<seconds>',
    default: '0',
    description: 'life of a value whose write does not say; 0 for ever',
  },
  bucketMaxSiblings: {
    group: 'buckets',
    key: 'buckets.max-siblings',
    kind: { type: 'whole', min: 1, max: limits.siblingsMax },
    placeholder: '<n>',
    default: String(limits.siblingsMaxDefault),
    description: 'values that one key may hold side by side',
  },
} as const satisfies Readonly<Record<string, Row>>

type Table = typeof table
export type SettingId = keyof Table
export type KindOf<Id extends SettingId> = Table[Id]['kind']

/** A row with all its names. */
export interface Setting {
  readonly id: SettingId
  /** As people call it: `node-id`. */
  readonly name: string
  readonly group: Group
  readonly kind: Kind
  /** `--node-id`; undefined where a command line is no place for it. */
  readonly flag: string | undefined
  /** `SHOAL_NODE_ID` */
  readonly variable: string
  /** `node-id`, or `buckets.ttl` for `ttl` in the table `buckets`. */
  readonly key: string | undefined
  readonly placeholder: string
  readonly default: string | undefined
  readonly defaultWords: string
  readonly required: boolean
  readonly description: string
}

export const settings: readonly Setting[] = Object.entries<Row>(table).map(([id, row]) => {
  const name = kebab(id)
  return {
    id: id as SettingId,
    name,
    group: row.group,
    kind: row.kind,
    flag: row.flag === false ? undefined : `--${name}`,
    variable: `SHOAL_${name.replaceAll('-', '_').toUpperCase()}`,
    key: row.key === false ? undefined : (row.key ?? name),
    placeholder: row.placeholder ?? placeholderOf(row.kind),
    default: row.default,
    defaultWords: row.defaultWords ?? row.default ?? '',
    required: row.required ?? false,
    description: row.description,
  }
})

const byId = new Map(settings.map((setting) => [setting.id, setting]))

/** Every id has its row: both come from the table. */
export const settingOf = (id: SettingId): Setting => byId.get(id) as Setting

/** `valueBytesMax` is `value-bytes-max`. */
function kebab(id: string): string {
  return id.replace(/[A-Z]/g, (capital) => `-${capital.toLowerCase()}`)
}

/** A choice shows what there is to choose; a switch takes no value. */
function placeholderOf(kind: Kind): string {
  return kind.type === 'choice' ? `<${kind.of.join('|')}>` : ''
}
