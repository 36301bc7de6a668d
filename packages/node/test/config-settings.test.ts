/** Every setting from every source, and which source goes first. */
import t from 'tap'
import { describeConfig, type NodeConfig, readConfig } from '../src/config/index.ts'
import { type SettingId, settings } from '../src/config/schema.ts'
import type { ConfigFlags } from '../src/config/sources.ts'
import { enough, readWith, secret, sourcesOf } from './config-support.ts'

const alone = 'n1=http://127.0.0.1:4100'

interface Case {
  /** Written in a flag or variable. */
  readonly text: string
  /** Written in the file, where it differs from the text in quotes. */
  readonly toml?: string
  readonly shown?: string
  /** What comes of it, and the default. */
  readonly of: (config: NodeConfig) => unknown
  readonly value: unknown
  readonly standard: unknown
  /** What else has to be given with it. */
  readonly with?: ConfigFlags
}

/** A value other than the default for each setting that all three sources can hold. */
const cases: Record<Exclude<SettingId, 'config' | 'secret'>, Case> = {
  nodeId: {
    text: 'n7',
    of: ({ settings }) => [settings.nodeId, settings.members],
    value: ['n7', [{ id: 'n7', url: 'http://127.0.0.1:4100' }]],
    standard: ['n1', [{ id: 'n1', url: 'http://127.0.0.1:4100' }]],
  },
  listen: {
    text: 'LOCALHOST:80',
    shown: 'localhost:80',
    of: ({ settings }) => [settings.listen, settings.members],
    value: [{ host: 'localhost', port: 80 }, [{ id: 'n1', url: 'http://localhost:80' }]],
    standard: [{ host: '127.0.0.1', port: 4100 }, [{ id: 'n1', url: 'http://127.0.0.1:4100' }]],
  },
  peerListen: {
    text: '[::]:4200',
    of: ({ settings }) => settings.peerListen,
    value: { host: '::', port: 4200 },
    standard: undefined,
  },
  chaosControl: {
    text: '127.0.0.1:4200',
    of: ({ settings }) => settings.chaosControl,
    value: { host: '127.0.0.1', port: 4200 },
    standard: undefined,
  },
  allowOpen: {
    text: 'true',
    toml: 'true',
    with: { listen: '0.0.0.0:4100', peers: alone },
    of: ({ settings }) => settings.listen.host,
    value: '0.0.0.0',
    standard: undefined,
  },
  data: {
    text: '/elsewhere',
    of: ({ settings }) => settings.data,
    value: '/elsewhere',
    standard: '/data',
  },
  peers: {
    text: 'n1=http://a:1;zone=z;host=h;weight=0.5;peer=http://b:2,n2=https://c/',
    toml:
      '[{ id = "n1", url = "http://a:1", zone = "z", host = "h", weight = 0.5, ' +
      'peer = "http://b:2" }, { id = "n2", url = "https://c/" }]',
    of: ({ settings }) => settings.members,
    value: [
      { id: 'n1', url: 'http://a:1', zone: 'z', host: 'h', weight: 0.5, peerUrl: 'http://b:2' },
      { id: 'n2', url: 'https://c/' },
    ],
    standard: [{ id: 'n1', url: 'http://127.0.0.1:4100' }],
  },
  secretFile: {
    text: '/other-secret',
    of: ({ settings }) => settings.secret,
    value: 'the secret in /other-secret',
    standard: 'the secret in /secret',
  },
  replicas: {
    text: '5',
    toml: '5',
    of: ({ settings }) => settings.replicas,
    value: 5,
    standard: 3,
  },
  partitions: {
    text: '64',
    toml: '64',
    of: ({ settings }) => settings.partitions,
    value: 64,
    standard: 256,
  },
  tokensFile: {
    text: '/tokens.toml',
    of: ({ settings }) => settings.security?.tokensFile,
    value: '/tokens.toml',
    standard: undefined,
  },
  tlsCert: {
    text: '/cert.pem',
    with: { tlsKey: '/key.pem' },
    of: ({ settings }) => [settings.security?.tls, settings.members[0]?.url],
    value: [{ certFile: '/cert.pem', keyFile: '/key.pem' }, 'https://127.0.0.1:4100'],
    standard: [undefined, 'http://127.0.0.1:4100'],
  },
  tlsKey: {
    text: '/key.pem',
    with: { tlsCert: '/cert.pem' },
    of: ({ settings }) => settings.security?.tls,
    value: { certFile: '/cert.pem', keyFile: '/key.pem' },
    standard: undefined,
  },
  tlsCa: {
    text: '/ca.pem',
    with: { tlsCert: '/cert.pem', tlsKey: '/key.pem' },
    of: ({ settings }) => settings.security?.tls?.caFile,
    value: '/ca.pem',
    standard: undefined,
  },
  rateLimit: {
    text: '500',
    toml: '500',
    of: ({ settings }) => settings.security?.rateLimit,
    value: 500,
    standard: 0,
  },
  auditLog: {
    text: '/audit.log',
    of: ({ settings }) => settings.security?.auditFile,
    value: '/audit.log',
    standard: undefined,
  },
  durability: {
    text: 'memory',
    of: ({ settings }) => settings.durability,
    value: 'memory',
    standard: 'fsync',
  },
  valueBytesMax: {
    text: '2MiB',
    of: ({ settings }) => settings.valueBytesMax,
    value: 2_097_152,
    standard: 1_048_576,
  },
  versionCacheBytes: {
    text: '1024',
    toml: '1024',
    shown: '1KiB',
    of: ({ settings }) => settings.versionCacheBytes,
    value: 1_024,
    standard: 33_554_432,
  },
  repairQuietHours: {
    text: '08:00-12:00, 22:30-06:00',
    toml: '["08:00-12:00", "22:30-06:00"]',
    shown: '08:00-12:00,22:30-06:00',
    of: ({ settings }) => settings.budget?.quietHours,
    value: [
      { fromMinute: 480, toMinute: 720 },
      { fromMinute: 1_350, toMinute: 360 },
    ],
    standard: undefined,
  },
  log: { text: 'json', of: ({ log }) => log.format, value: 'json', standard: 'text' },
  logLevel: { text: 'warn', of: ({ log }) => log.level, value: 'warn', standard: 'info' },
  slowRequest: {
    text: '250',
    toml: '250',
    of: ({ settings }) => settings.slowRequestMs,
    value: 250,
    standard: 500,
  },
  bucketConsistency: {
    text: 'one; r=1;strict',
    shown: 'one;r=1;strict',
    of: ({ settings }) => settings.bucketDefaults.consistency,
    value: { level: 'one', r: 1, strict: true },
    standard: { level: 'quorum', strict: false },
  },
  bucketConflicts: {
    text: 'lww',
    of: ({ settings }) => settings.bucketDefaults.conflicts,
    value: 'lww',
    standard: 'siblings',
  },
  bucketBlindWrites: {
    text: 'reject',
    of: ({ settings }) => settings.bucketDefaults.blindWrites,
    value: 'reject',
    standard: 'overwrite',
  },
  bucketTtl: {
    text: '3600',
    toml: '3600',
    of: ({ settings }) => settings.bucketDefaults.ttl,
    value: 3_600,
    standard: 0,
  },
  bucketMaxSiblings: {
    text: '10',
    toml: '10',
    of: ({ settings }) => settings.bucketDefaults.maxSiblings,
    value: 10,
    standard: 50,
  },
}

const readSecret = (path: string): { text: string } => ({ text: `the secret in ${path}\n` })
const ids = Object.keys(cases) as (keyof typeof cases)[]

/** Flags that a case stands on; without the setting itself, unless it has to be there. */
function others(id: keyof typeof cases): ConfigFlags {
  const { [id as 'nodeId']: _itself, ...rest } = { ...enough, ...cases[id].with }
  return rest
}

function fileWith(id: keyof typeof cases): string {
  const { key = '' } = settings.find((setting) => setting.id === id) ?? {}
  const { text, toml = JSON.stringify(text) } = cases[id]
  const [name = '', table] = key.split('.').reverse()
  return `${table === undefined ? '' : `[${table}]\n`}${name} = ${toml}`
}

const rowOf = (config: NodeConfig, id: string): object | undefined => {
  const { name } = settings.find((setting) => setting.id === id) ?? {}
  return describeConfig(config).find((row) => row.name === name)
}

t.test('every setting is read from a flag, a variable and a key of the file', async (t) => {
  for (const id of ids) {
    const { text, shown = text, of, value } = cases[id]
    const { flag, variable, key } = settings.find((setting) => setting.id === id) ?? {}
    const sources = {
      [String(flag)]: { flags: { ...others(id), [id]: id === 'allowOpen' ? true : text } },
      [String(variable)]: { flags: others(id), environment: { [String(variable)]: text } },
      [`/etc/shoal.toml: ${key}`]: { flags: others(id), toml: fileWith(id) },
    }
    for (const [origin, parts] of Object.entries(sources)) {
      const config = readConfig(sourcesOf({ readSecret, ...parts }))
      t.same(of(config), value, `${id} from ${origin}`)
      t.match(rowOf(config, id), { value: shown, origin }, `${id} and its origin`)
    }
  }
})

t.test('what no source has is the default', async (t) => {
  for (const id of ids.filter((each) => each !== 'allowOpen')) {
    t.same(cases[id].of(readWith({ readSecret })), cases[id].standard, id)
  }
})

t.test('a flag goes before a variable, a variable before the file', async (t) => {
  const toml = 'replicas = 1'
  const environment = { SHOAL_REPLICAS: '2' }
  const flags = { replicas: '4' }
  t.equal(readWith({ toml }).settings.replicas, 1)
  t.equal(readWith({ toml, environment }).settings.replicas, 2)
  t.equal(readWith({ toml, environment, flags }).settings.replicas, 4)
})

t.test('a value that another one hides is not judged', async (t) => {
  const hidden = { toml: 'replicas = "many"', environment: { SHOAL_REPLICAS: 'many' } }
  t.equal(readWith({ ...hidden, flags: { replicas: '4' } }).settings.replicas, 4)
})

t.test('an empty variable counts as not there', async (t) => {
  const { settings, origins } = readWith({ environment: { SHOAL_REPLICAS: '', SHOAL_PEERS: '' } })
  t.equal(settings.replicas, 3)
  t.same(origins.replicas, { kind: 'default' })
})

t.test('what is shown of a configuration can be given again, and comes out the same', async (t) => {
  const given = Object.fromEntries(ids.map((id) => [id, cases[id].text]))
  const first = readWith({ readSecret, flags: { ...given, nodeId: 'n1', listen: '127.0.0.1:1' } })
  const again = Object.fromEntries(ids.map((id) => [id, first.shown[id]]))
  const second = readWith({ readSecret, flags: again })
  t.same(second.settings, first.settings)
  t.same(second.shown, first.shown)
})

t.test('the secret comes from the place that goes first, and is never shown', async (t) => {
  const variable = { SHOAL_SECRET: 'the secret in a variable' }
  const toml = 'secret-file = "from-toml"'
  const { secretFile: _, ...flags } = enough
  const cases = [
    [{ flags, environment: variable }, variable.SHOAL_SECRET, 'SHOAL_SECRET'],
    [{ flags, environment: variable, toml }, variable.SHOAL_SECRET, 'SHOAL_SECRET'],
    [{ flags, toml }, 'the secret in /etc/from-toml', '/etc/shoal.toml: secret-file'],
    [{ flags: enough, environment: variable }, 'the secret in /secret', '--secret-file'],
    [
      { flags, environment: { SHOAL_SECRET_FILE: 'other' }, toml },
      'the secret in other',
      'SHOAL_SECRET_FILE',
    ],
  ] as const
  for (const [parts, expected, origin] of cases) {
    const config = readConfig(sourcesOf({ readSecret, ...parts }))
    t.equal(config.settings.secret, expected)
    t.same(rowOf(config, 'secret'), { name: 'secret', value: '(hidden)', origin })
    t.notMatch(JSON.stringify(describeConfig(config)), expected)
  }
  t.equal(readWith({}).settings.secret, secret, 'the line end of the file is no part of it')
})

t.test('relative paths of the file start from its folder', async (t) => {
  const { data: _, secretFile: __, ...flags } = enough
  const asked: string[] = []
  const config = readConfig(
    sourcesOf({
      flags,
      toml: 'data = "n1"\nsecret-file = "keys/secret"',
      readSecret: (path) => {
        asked.push(path)
        return { text: secret }
      },
    }),
  )
  t.equal(config.settings.data, '/etc/n1')
  t.same(asked, ['/etc/keys/secret'])
  t.equal(readWith({ flags: { data: 'n1' } }).settings.data, 'n1')
})

t.test('a cluster of one is reached where it listens', async (t) => {
  const urlOf = (listen: string): string | undefined =>
    readWith({ flags: { listen, allowOpen: true } }).settings.members[0]?.url
  t.equal(urlOf('10.0.0.1:80'), 'http://10.0.0.1:80')
  t.equal(urlOf('[fd00::1]:4100'), 'http://[fd00::1]:4100')
  t.equal(urlOf('0.0.0.0:4100'), 'http://127.0.0.1:4100')
  t.equal(urlOf('[::]:4100'), 'http://[::1]:4100')
})

t.test('rows come in the order of the table, those not set included', async (t) => {
  const config = readWith({ flags: { config: '/etc/shoal.toml' }, toml: '' })
  const rows = describeConfig(config)
  t.same(
    rows.map(({ name }) => name),
    settings.map(({ name }) => name),
  )
  t.same(rows[0], { name: 'config', value: '/etc/shoal.toml', origin: '--config' })
  t.match(rowOf(config, 'peers'), { value: '', origin: 'not set' })
  t.match(rowOf(config, 'replicas'), { value: '3', origin: 'default' })
})

t.test('variables of others are passed over', async (t) => {
  const environment = {
    SHOAL_URL: 'http://127.0.0.1:4100',
    SHOAL_TEST_NODE: '/usr/bin/node',
    SHOAL_SERVICE_HOST: '10.0.0.1',
    SHOAL_SERVICE_PORT: '4100',
    SHOAL_SERVICE_PORT_HTTP: '4100',
    SHOAL_PORT: 'tcp://10.0.0.1:4100',
    SHOAL_PORT_4100_TCP: 'tcp://10.0.0.1:4100',
    SHOAL_PORT_4100_TCP_ADDR: '10.0.0.1',
    SHOAL_PEERS_PORT: 'tcp://10.0.0.1:4200',
    SHOALS: 'not ours',
    HOME: '/root',
  }
  t.doesNotThrow(() => readWith({ environment }))
})
