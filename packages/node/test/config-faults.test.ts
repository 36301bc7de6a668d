/** Every way in which a configuration is refused or warned about, word for word. */
import t from 'tap'
import { describeConfig, examineConfig } from '../src/config/index.ts'
import {
  enough,
  type Parts,
  readWith,
  refusalOf,
  refusalWith,
  secret,
  sourcesOf,
} from './config-support.ts'

/** One fault, in a flag. */
const flagFaults: [flags: Parts['flags'], error: string][] = [
  [{ nodeId: '' }, '--node-id: a node id is 1 to 64 of A-Z a-z 0-9 . _ -'],
  [{ nodeId: 'a b' }, '--node-id: a node id is 1 to 64 of A-Z a-z 0-9 . _ -'],
  [{ listen: '' }, '--listen: it is HOST:PORT, such as 127.0.0.1:4100 or [::1]:4100'],
  [{ listen: '4100' }, '--listen: it is HOST:PORT, such as 127.0.0.1:4100 or [::1]:4100'],
  [{ listen: ':4100' }, '--listen: it is HOST:PORT, such as 127.0.0.1:4100 or [::1]:4100'],
  [{ listen: '::1:4100' }, '--listen: it is HOST:PORT, such as 127.0.0.1:4100 or [::1]:4100'],
  [{ listen: '[:::]:4100' }, '--listen: it is HOST:PORT, such as 127.0.0.1:4100 or [::1]:4100'],
  [{ listen: '1.2.3.256:1' }, '--listen: it is HOST:PORT, such as 127.0.0.1:4100 or [::1]:4100'],
  [{ listen: 'http://a:1' }, '--listen: it is HOST:PORT, such as 127.0.0.1:4100 or [::1]:4100'],
  [{ listen: 'localhost:65536' }, '--listen at 10: a port is 0 to 65535, not 65536'],
  [{ peerListen: 'here' }, '--peer-listen: it is HOST:PORT, such as 127.0.0.1:4100 or [::1]:4100'],
  [{ data: '' }, '--data: it is empty'],
  [{ data: 'a\0b' }, '--data: a path has no NUL'],
  [{ secretFile: '' }, '--secret-file: it is empty'],
  [{ replicas: '0' }, '--replicas: it is a whole number from 1 to 7, not "0"'],
  [{ replicas: '8' }, '--replicas: it is a whole number from 1 to 7, not "8"'],
  [{ replicas: '03' }, '--replicas: it is a whole number from 1 to 7, not "03"'],
  [{ replicas: '3.0' }, '--replicas: it is a whole number from 1 to 7, not "3.0"'],
  [{ replicas: '-1' }, '--replicas: it is a whole number from 1 to 7, not "-1"'],
  [{ replicas: '' }, '--replicas: it is a whole number from 1 to 7, not ""'],
  [{ partitions: '4' }, '--partitions: it is a power of two from 8 to 4,096, not "4"'],
  [{ partitions: '100' }, '--partitions: it is a power of two from 8 to 4,096, not "100"'],
  [{ partitions: '8192' }, '--partitions: it is a power of two from 8 to 4,096, not "8192"'],
  [
    { durability: 'fsnyc' },
    '--durability: it is fsync or memory, not "fsnyc"; did you mean fsync?',
  ],
  [{ durability: 'constructor' }, '--durability: it is fsync or memory, not "constructor"'],
  [
    { valueBytesMax: '17MiB' },
    '--value-bytes-max: it is an amount from 1 to 16MiB, in B, KiB, MiB or GiB, not "17MiB"',
  ],
  [
    { valueBytesMax: '1MB' },
    '--value-bytes-max: it is an amount from 1 to 16MiB, in B, KiB, MiB or GiB, not "1MB"',
  ],
  [
    { valueBytesMax: '0' },
    '--value-bytes-max: it is an amount from 1 to 16MiB, in B, KiB, MiB or GiB, not "0"',
  ],
  [
    { versionCacheBytes: '2GiB' },
    '--version-cache-bytes: it is an amount from 0 to 1GiB, in B, KiB, MiB or GiB, not "2GiB"',
  ],
  [
    { repairQuietHours: 'night' },
    '--repair-quiet-hours: it is hours of the day in UTC, such as 08:00-20:00, ' +
      'separated by commas, not "night"',
  ],
  [
    { repairQuietHours: '08:00-12:00,13:00-24:01' },
    '--repair-quiet-hours: it is hours of the day in UTC, such as 08:00-20:00, ' +
      'separated by commas, not "13:00-24:01"',
  ],
  [
    { repairQuietHours: '08:00-08:00' },
    '--repair-quiet-hours: 08:00-08:00 has no length; for the whole day write 00:00-24:00',
  ],
  [
    { repairQuietHours: Array.from({ length: 17 }, () => '08:00-09:00').join(',') },
    '--repair-quiet-hours: it is at most 16 spans of hours, not 17',
  ],
  [{ log: 'xml' }, '--log: it is text or json, not "xml"'],
  [{ logLevel: 'warning' }, '--log-level: it is info, warn or error, not "warning"'],
  [{ allowOpen: 'yes' }, '--allow-open: it is true or false, not "yes"'],
  [
    { bucketConsistency: 'quorun' },
    '--bucket-consistency at 0: a level is one of one, quorum, all',
  ],
  [
    { bucketConsistency: 'quorum;x=1' },
    '--bucket-consistency at 7: the parameters are r, w, strict, durable',
  ],
  [
    { bucketConsistency: 'quorum;r=2' },
    '--bucket-consistency: r and w are at most 1, as many as there are copies of each key',
  ],
  [
    { bucketConsistency: 'one;durable=2' },
    '--bucket-consistency: durable is at most w, and w is 1',
  ],
  [{ bucketConflicts: 'last' }, '--bucket-conflicts: it is siblings or lww, not "last"'],
  [
    { bucketBlindWrites: 'siblings' },
    '--bucket-blind-writes: it is overwrite, sibling or reject, not "siblings"; ' +
      'did you mean sibling?',
  ],
  [{ bucketTtl: '1d' }, '--bucket-ttl: it is a whole number from 0 to 316,224,000, not "1d"'],
  [
    { bucketMaxSiblings: '51' },
    '--bucket-max-siblings: it is a whole number from 1 to 50, not "51"',
  ],
  [{ log: 'x'.repeat(500) }, `--log: it is text or json, not "${'x'.repeat(64)}…"`],
]

t.test('a wrong flag is named, with what is allowed', async (t) => {
  for (const [flags, error] of flagFaults) {
    t.same(refusalWith({ flags: { ...flags } }), { code: 'SHOAL_CONFIG_INVALID', errors: [error] })
  }
})

const tomlFaults: [toml: string, ...errors: string[]][] = [
  ['replicas = ', ':1:12: invalid value'],
  ['a = 1\n[a]\nb = 2', ':2:2: trying to redefine an already defined table or value'],
  ['replica = 3', ': replica: there is no such key; did you mean replicas?'],
  ['node_id = "n1"', ': node_id: there is no such key; did you mean node-id?'],
  ['nothing-like-it = 3', ': nothing-like-it: there is no such key'],
  ['ttl = 3', ': ttl: there is no such key; did you mean buckets.ttl?'],
  ['"buckets.ttl" = 3', ': buckets.ttl: there is no such key'],
  ['__proto__ = 3', ': __proto__: there is no such key'],
  ['"" = 3', ': : there is no such key'],
  ['[buckets]\nttll = 3', ': buckets.ttll: there is no such key; did you mean ttl?'],
  ['[bucket]\nttl = 3', ': bucket: there is no such key; did you mean buckets?'],
  ['buckets = 3', ': buckets: it is a table, written [buckets]'],
  ['[[buckets]]\nttl = 3', ': buckets: it is a table, written [buckets]'],
  ['peers = "n1=http://a"', ': peers: list the members in tables, each under a line [[members]]'],
  ['config = "other"', ': config: a file cannot name another'],
  ['replicas = "3"', ': replicas: it is a whole number from 1 to 7, not a string'],
  ['replicas = true', ': replicas: it is a whole number from 1 to 7, not a boolean'],
  ['replicas = 3.5', ': replicas: it is a whole number from 1 to 7, not "3.5"'],
  ['replicas = nan', ': replicas: it is a whole number from 1 to 7, not "NaN"'],
  ['listen = 4100', ': listen: it is HOST:PORT, not a number'],
  ['peer-listen = ["a:1"]', ': peer-listen: it is HOST:PORT, not an array'],
  ['log = 1979-05-27', ': log: it is text or json, not a date'],
  ['allow-open = "true"', ': allow-open: it is true or false, not a string'],
  ['[value-bytes-max]\nof = 1', ': value-bytes-max: it is an amount from 1 to 16MiB, not a table'],
  [
    '[buckets]\nconsistency = 1',
    ': buckets.consistency: it is a consistency, such as quorum;r=1, not a number',
  ],
  [
    '[repair]\nquiet-hours = 8',
    ': repair.quiet-hours: it is hours of the day in UTC, such as 08:00-20:00, ' +
      'separated by commas, not a number',
  ],
  [
    '[repair]\nquiet-hours = ["08:00-20:00", 8]',
    ': repair.quiet-hours: it is hours of the day in UTC, such as 08:00-20:00, ' +
      'separated by commas, not a number',
  ],
  ['members = "n1"', ': members: members are tables, each under a line [[members]]'],
  ['members = []', ': members: a ring has 1 to 1000 members, not 0'],
  ['members = [1]', ': members, entry 1: a member is a table with id and url'],
  [
    '[[members]]\nurl = 3\nwieght = 2\nzone = ""',
    ': members, entry 1, url: it is a string',
    ': members, entry 1, wieght: a member has id, url, zone, host, weight or peer; ' +
      'did you mean weight?',
    ': members, entry 1, id: missing',
  ],
  [
    '[[members]]\nid = "n1"\nurl = "http://a"\nweight = "2"',
    ': members, n1, weight: it is a number',
  ],
  ['[[members]]\nid = "n1"', ': members, n1, url: missing'],
  ['[[members]]\nid = "n1"\nurl = ""', ': members, n1, url: it is empty'],
  ['[[members]]\nid = ""\nurl = "http://a"', ': members, entry 1, id: it is empty'],
  ['[members]\nn1 = "http://a"', ': members: members are tables, each under a line [[members]]'],
]

t.test('a wrong key of the file is named, with what is allowed', async (t) => {
  for (const [toml, ...errors] of tomlFaults) {
    t.same(
      refusalWith({ toml }),
      {
        code: 'SHOAL_CONFIG_INVALID',
        errors: errors.map((error) => `/etc/shoal.toml${error}`),
      },
      toml,
    )
  }
})

t.test('unknown variables are refused, with the one that was meant', async (t) => {
  const environment = {
    SHOAL_NODEID: 'n1',
    SHOAL_REPLICA: '3',
    SHOAL_PORT: '4100',
    SHOAL_UNHEARD_OF: '',
  }
  t.same(refusalWith({ environment }).errors, [
    'SHOAL_NODEID: there is no such variable; did you mean SHOAL_NODE_ID?',
    'SHOAL_REPLICA: there is no such variable; did you mean SHOAL_REPLICAS?',
    'SHOAL_PORT: there is no such variable',
    'SHOAL_UNHEARD_OF: there is no such variable',
  ])
})

t.test('what is missing is told with all places for it, and everything at once', async (t) => {
  t.same(refusalOf(sourcesOf({ environment: { SHOAL_REPLICAS: 'x' }, toml: 'x = 1' })), {
    code: 'SHOAL_CONFIG_INVALID',
    errors: [
      '/etc/shoal.toml: x: there is no such key',
      'node-id: it is missing; give --node-id <id>, or SHOAL_NODE_ID, or node-id in the file',
      'data: it is missing; give --data <dir>, or SHOAL_DATA, or data in the file',
      'SHOAL_REPLICAS: it is a whole number from 1 to 7, not "x"',
      'secret: it is missing; give --secret-file <file>, or SHOAL_SECRET, ' +
        'or secret-file in the file',
    ],
  })
})

t.test('an unreadable file is the only fault: what is missing may stand in it', async (t) => {
  const path = '/etc/shoal.toml'
  const file = { path, fault: 'the file cannot be read: ENOENT' }
  const flags = { config: path, listen: '0.0.0.0:1' }
  t.same(refusalOf({ ...sourcesOf({ flags }), file }).errors, [
    '--config: the file cannot be read: ENOENT',
  ])
  t.same(refusalOf({ ...sourcesOf({ environment: { SHOAL_CONFIG: path } }), file }).errors, [
    'SHOAL_CONFIG: the file cannot be read: ENOENT',
  ])
  t.same(refusalOf({ ...sourcesOf({}), file }).errors, [
    '/etc/shoal.toml: the file cannot be read: ENOENT',
  ])
  t.same(refusalOf(sourcesOf({ toml: '[' })).errors.length, 1)
})

t.test('the message says the fault, or how many there are', async (t) => {
  const one = examineConfig(sourcesOf({ flags: { ...enough, replicas: '9' } })).error
  t.equal(one?.message, '--replicas: it is a whole number from 1 to 7, not "9"')
  const two = examineConfig(sourcesOf({ flags: { ...enough, replicas: '9', log: '9' } })).error
  t.equal(two?.message, '2 settings are wrong')
})

t.test('a node belongs to its members', async (t) => {
  const peers = 'n1=http://a:1,n2=http://a:2'
  t.same(refusalWith({ flags: { nodeId: 'n3', peers } }).errors, [
    '--node-id: n3 is not among the members of --peers: n1, n2; did you mean n1?',
  ])
  const many = Array.from({ length: 12 }, (_, index) => `m${index}=http://a:${index + 1}`).join()
  t.same(refusalWith({ environment: { SHOAL_PEERS: many } }).errors, [
    '--node-id: n1 is not among the members of SHOAL_PEERS: ' +
      'm0, m1, m2, m3, m4, m5, m6, m7, m8, m9, ...; did you mean m1?',
  ])
})

t.test('with a listener for peers, the member says where peers find it', async (t) => {
  const flags = { peerListen: '0.0.0.0:4200', peers: 'n1=http://localhost:4100,n2=http://b' }
  t.same(refusalWith({ flags }).errors, [
    '--peers: peers reach n1 at http://localhost:4100, which takes only clients when peer-listen ' +
      'is set; add ;peer=http://HOST:4200 to n1',
  ])
  const told = { ...flags, peers: 'n1=http://localhost:4100;peer=http://a:4200,n2=http://b' }
  t.same(readWith({ flags: told }).warnings, [])
  const alone = { ...flags, peers: 'n1=http://localhost:4100' }
  t.doesNotThrow(() => readWith({ flags: alone }), 'nobody looks for it')
})

t.test('TLS needs a certificate and its key', async (t) => {
  const cells: [Parts['flags'], ...string[]][] = [
    [{ tlsCert: '/cert' }, '--tls-cert: it needs --tls-key too'],
    [{ tlsKey: '/key' }, '--tls-key: it needs --tls-cert too'],
    [{ tlsCa: '/ca' }, '--tls-ca: it needs --tls-cert too', '--tls-ca: it needs --tls-key too'],
  ]
  for (const [flags, ...errors] of cells)
    t.same(refusalWith({ flags: { ...flags } }).errors, errors)
})

t.test('an open address needs a word', async (t) => {
  const openAddresses = ['0.0.0.0:4100', '[::]:4100', '10.0.0.1:4100', 'node.example:4100']
  for (const listen of [...openAddresses, '[::ffff:127.0.0.1]:4100', '128.0.0.1:4100']) {
    const { code, errors } = refusalWith({ flags: { listen } })
    t.equal(code, 'SHOAL_LISTEN_OPEN')
    t.match(errors[0], /^--listen: .*:4100 can be reached from other machines, and clients are not/)
    t.doesNotThrow(() => readWith({ flags: { listen, allowOpen: true } }))
    t.doesNotThrow(() => readWith({ flags: { listen, tokensFile: '/tokens.toml' } }))
  }
  for (const listen of ['127.0.0.1:0', '127.9.9.9:1', '127.1:1', 'localhost:1', '[::1]:1']) {
    t.doesNotThrow(() => readWith({ flags: { listen } }), listen)
  }
  const wrongToo = refusalWith({ flags: { listen: '0.0.0.0:4100', replicas: '9' } })
  t.equal(wrongToo.code, 'SHOAL_CONFIG_INVALID', 'among others it is one of them')
  t.equal(wrongToo.errors.length, 2)
})

t.test('secrets that do not do', async (t) => {
  const withText = (text: string): string[] => refusalWith({ readSecret: () => ({ text }) }).errors
  t.same(withText(' \n'), ['--secret-file: the secret is empty'])
  t.same(withText('fifteen bytes !'), [
    '--secret-file: the secret has 15 bytes; below 16 it could be guessed',
  ])
  t.same(withText('s'.repeat(4_097)), ['--secret-file: the secret has more than 4096 bytes'])
  t.same(refusalWith({ readSecret: () => ({ fault: 'the file cannot be read: EACCES' }) }).errors, [
    '--secret-file: the file cannot be read: EACCES',
  ])
  const { secretFile: _, ...flags } = enough
  const environment = { SHOAL_SECRET: secret, SHOAL_SECRET_FILE: '/secret' }
  t.same(refusalOf(sourcesOf({ flags, environment })).errors, [
    'SHOAL_SECRET: give either SHOAL_SECRET or SHOAL_SECRET_FILE, not both',
  ])
})

t.test('no error and no row holds a secret, wherever it was put', async (t) => {
  const word = 'xyzzy-plugh'
  const places: Parts[] = [
    { environment: { SHOAL_SECRET: word } },
    { environment: { SHOAL_SERCET: word } },
    { readSecret: () => ({ text: word }) },
    { toml: `secret = "${word}"` },
    { toml: `sercet = "${word}"` },
    { toml: `secret-file = ["${word}"]` },
    { toml: `secret = "${word}" "` },
    { toml: `replicas = 3\nsecret = ${word}\n` },
  ]
  const { secretFile: _, ...flags } = enough
  for (const parts of places) {
    const needsFile = parts.readSecret !== undefined
    const sources = sourcesOf({ flags: needsFile ? enough : flags, ...parts })
    const examined = examineConfig(sources)
    t.ok(examined.error, JSON.stringify(parts))
    const told = [
      examined.error?.message,
      JSON.stringify(examined.error?.details),
      JSON.stringify(describeConfig(examined)),
    ]
    t.notMatch(told.join('\n'), word)
  }
  t.same(refusalWith({ toml: 'secret = "x"' }).errors, [
    '/etc/shoal.toml: secret: a secret does not belong in this file; use secret-file here, ' +
      'or SHOAL_SECRET',
  ])
})

t.test('a wrong configuration is shown as it was written', async (t) => {
  const examined = examineConfig(sourcesOf({ flags: { nodeId: 'n1', replicas: '9' } }))
  t.equal(examined.config, undefined)
  const rows = describeConfig(examined)
  t.match(
    rows.find(({ name }) => name === 'replicas'),
    { value: '9', origin: '--replicas' },
  )
  t.match(
    rows.find(({ name }) => name === 'node-id'),
    { value: 'n1', origin: '--node-id' },
  )
  t.match(
    rows.find(({ name }) => name === 'secret'),
    { value: '', origin: 'not set' },
  )
})

const proxied = 'n1=http://10.0.0.1:80,n2=http://b'
const warned: [flags: Parts['flags'], ...warnings: string[]][] = [
  [{}],
  [{ peers: 'n1=http://127.0.0.1:4100,n2=http://127.0.0.1:4101' }],
  [
    { listen: '10.0.0.1:4100', allowOpen: true },
    '--listen: whoever reaches 10.0.0.1:4100 can read and write everything',
  ],
  [
    { listen: '0.0.0.0:4100', allowOpen: true },
    '--listen: whoever reaches 0.0.0.0:4100 can read and write everything',
    '--listen: clients elsewhere are told http://127.0.0.1:4100; name another with --peers',
  ],
  [
    { listen: '10.0.0.1:4100', tokensFile: '/tokens' },
    '--listen: tokens and values travel to 10.0.0.1:4100 unencrypted; give --tls-cert and ' +
      '--tls-key, or put a proxy with TLS in front',
  ],
  [{ listen: '10.0.0.1:4100', tokensFile: '/tokens', tlsCert: '/cert', tlsKey: '/key' }],
  [
    { peers: 'n1=http://127.0.0.1:4100', tlsCert: '/cert', tlsKey: '/key' },
    '--peers: this node speaks https, and is http://127.0.0.1:4100; right only behind a proxy',
  ],
  [
    { tokensFile: '/tokens', logLevel: 'warn' },
    '--log-level: the audit is logged at level info, and warn hides it; give --audit-log',
  ],
  [{ tokensFile: '/tokens', logLevel: 'warn', auditLog: '/audit' }],
  [
    { peers: proxied },
    'listen (default): port 4100 is not that of http://10.0.0.1:80; right only behind a proxy',
    'listen (default): only this machine reaches it, and not http://10.0.0.1:80; right only behind a proxy',
  ],
  [
    { peers: 'n1=http://127.0.0.1:4100;peer=http://127.0.0.1:4200' },
    'listen (default): port 4100 is not that of http://127.0.0.1:4200; right only behind a proxy',
  ],
  [
    {
      peers: 'n1=http://127.0.0.1:4100;peer=http://127.0.0.1:4200',
      peerListen: '127.0.0.1:4201',
    },
    '--peer-listen: port 4201 is not that of http://127.0.0.1:4200; right only behind a proxy',
  ],
  [{ replicas: '2' }, '--replicas: 2 copies of each key need 2 nodes, and there are 1'],
  [
    { valueBytesMax: '16MiB' },
    '--value-bytes-max: 50 siblings of 16MiB are more than the 96MiB that nodes send at once: ' +
      'such keys cannot be read',
  ],
  [{ valueBytesMax: '16MiB', bucketMaxSiblings: '5' }],
]

t.test('what is allowed and unlikely to be meant is warned about', async (t) => {
  for (const [flags, ...warnings] of warned) {
    const given = readWith({ flags: { ...flags } }).warnings
    t.same(
      given.map(({ field, message }) => `${field}: ${message}`),
      warnings,
      JSON.stringify(flags),
    )
  }
})
