import assert from 'node:assert/strict'
import { createSeededRandom, epoch, nodeId, ShoalError } from '@shoal/kernel'
import fc from 'fast-check'
import t from 'tap'
import {
  decodeRing,
  encodeRing,
  foundRing,
  hash64,
  type MemberSetting,
  NO_PARENT,
  type RingRecord,
  ringDifference,
} from '../src/index.ts'
import { digestOf } from '../src/ring-codec.ts'
import { anyMembers } from './support/arbitraries.ts'

const seed = 20_071_014
const node = (name: string, more: Partial<MemberSetting> = {}): MemberSetting => ({
  id: nodeId(name),
  url: `http://127.0.0.1:70${name.slice(1).padStart(2, '0')}`,
  ...more,
})
const three = [node('n1'), node('n2'), node('n3')]
const found = (members: readonly MemberSetting[], more = {}): RingRecord =>
  foundRing({ secretDigest: 'ab12', members, partitions: 64, replicas: 3, ...more })

/** A record with something changed and its digest made right again. */
const altered = (record: RingRecord, change: Partial<RingRecord>): RingRecord => {
  const content = { ...record, ...change }
  return { ...content, digest: digestOf(content) }
}

const errorOf = (run: () => unknown): ShoalError => {
  try {
    run()
  } catch (error) {
    if (error instanceof ShoalError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

t.test(
  'R11: every node derives the same first record, whatever the order of its list',
  async (t) => {
    const members = [
      node('n2', { zone: 'a', weight: 2 }),
      node('n10', { zone: 'b', host: 'rack1/h7' }),
      node('n1', { zone: 'c' }),
    ]
    const record = found(members)
    t.same(found([...members].reverse()), record)
    t.same(
      record.members.map((member) => member.id),
      ['n1', 'n10', 'n2'],
      'sorted by id',
    )
    t.match(record, { epoch: 1, parent: NO_PARENT, partitions: 64, replicas: 3 })
    t.match(record.clusterId, /^[0-9a-f]{16}$/)
    t.equal(record.digest, digestOf(record))
    t.same(record.members[0], {
      id: 'n1',
      url: 'http://127.0.0.1:7001',
      zone: 'c',
      host: '',
      weight: 1,
    })
  },
)

t.test('R11: the record of three plain nodes never changes', async (t) => {
  const record = found(three, { partitions: 256 })
  t.equal(record.clusterId, '2fa7a6bdeb877e8b')
  t.equal(record.digest, '1b1dd5fc2a2ddec0')
})

t.test('R11: the cluster id follows from secret and member ids alone', async (t) => {
  const id = found(three).clusterId
  t.equal(found(three, { partitions: 128, replicas: 2 }).clusterId, id)
  t.equal(found(three.map((member) => ({ ...member, weight: 3 }))).clusterId, id)
  t.not(found(three, { secretDigest: 'other' }).clusterId, id)
  t.not(found([...three, node('n4')]).clusterId, id)
})

t.test('R11: ways of writing one URL or weight are one', async (t) => {
  const plain = found([node('n1', { url: 'http://example.test', weight: 0.1 })])
  t.same(found([node('n1', { url: 'HTTP://Example.test:80/', weight: 0.1 })]), plain)
  t.equal(found([node('n1', { weight: 1.23449 })]).members[0]?.weight, 1.234)
})

t.test('R12: every wrong setting is named', async (t) => {
  const wrong: readonly (readonly [string, RegExp, () => unknown])[] = [
    ['partitions', /power of two from 8 to 4096, not 100/, () => found(three, { partitions: 100 })],
    ['partitions', /not 4/, () => found(three, { partitions: 4 })],
    ['partitions', /not 8192/, () => found(three, { partitions: 8_192 })],
    ['partitions', /not NaN/, () => found(three, { partitions: Number.NaN })],
    ['replicas', /1 to 7, not 0/, () => found(three, { replicas: 0 })],
    ['replicas', /not 8/, () => found(three, { replicas: 8 })],
    ['replicas', /not 2.5/, () => found(three, { replicas: 2.5 })],
    ['members', /1 to 1000 members, not 0/, () => found([])],
    ['members', /not 1001/, () => found(Array.from({ length: 1_001 }, (_, at) => node(`n${at}`)))],
    [
      'members.n1.id',
      /used twice \(by n1\)/,
      () => found([node('n1'), { ...node('n1'), url: 'http://b' }]),
    ],
    ['members.a b.id', /A-Z a-z 0-9/, () => found([{ id: nodeId('a b'), url: 'http://a' }])],
    ['members..id', /1 to 64/, () => found([{ id: nodeId(''), url: 'http://a' }])],
    [
      `members.${'x'.repeat(65)}.id`,
      /1 to 64/,
      () => found([{ id: nodeId('x'.repeat(65)), url: 'http://a' }]),
    ],
    [
      'members.n2.url',
      /used twice \(by n1\)/,
      () => found([node('n1', { url: 'http://a/' }), node('n2', { url: 'http://a' })]),
    ],
    ['members.n1.url', /is not an http or https URL/, () => found([node('n1', { url: 'a:1' })])],
    ['members.n1.url', /ftp:/, () => found([node('n1', { url: 'ftp://a' })])],
    ['members.n1.url', /scheme, host and port/, () => found([node('n1', { url: 'http://a/x' })])],
    ['members.n1.url', /scheme, host and port/, () => found([node('n1', { url: 'http://a/?x' })])],
    ['members.n1.url', /scheme, host and port/, () => found([node('n1', { url: 'http://u:p@a' })])],
    [
      'members.n1.url',
      /scheme, host and port/,
      () => found([node('n1', { url: `http://${'a'.repeat(512)}` })]),
    ],
    ['members.n1.weight', /0.1 to 1000, not 0/, () => found([node('n1', { weight: 0 })])],
    ['members.n1.weight', /not 1001/, () => found([node('n1', { weight: 1_001 })])],
    ['members.n1.weight', /not NaN/, () => found([node('n1', { weight: Number.NaN })])],
    [
      'members.n1.weight',
      /not Infinity/,
      () => found([node('n1', { weight: Number.POSITIVE_INFINITY })]),
    ],
    ['members.n1.zone', /at most 64/, () => found([node('n1', { zone: 'eu;west' })])],
    ['members.n1.host', /at most 64/, () => found([node('n1', { host: 'x'.repeat(65) })])],
    [
      'members.n2.zone',
      /host h is in zone "a" by n1 and in "b" here/,
      () => found([node('n1', { zone: 'a', host: 'h' }), node('n2', { zone: 'b', host: 'h' })]),
    ],
  ]
  for (const [field, message, run] of wrong) {
    const error = errorOf(run)
    t.equal(error.code, 'SHOAL_CONFIG_INVALID')
    t.match(error.message, message, `${field}: ${error.message}`)
    t.equal(error.details.errors?.[0]?.field, field)
  }
  const both = errorOf(() => found([node('n1', { weight: 0 })], { replicas: 9 }))
  t.equal(both.details.errors?.length, 2, 'all faults are listed')
  t.match(both.message, /and 1 more/)
})

t.test('R13: a record comes back from its bytes', async (t) => {
  fc.assert(
    fc.property(anyMembers(20), fc.integer({ min: 1, max: 7 }), (members, replicas) => {
      const settings = members.map((member, at) => ({
        ...member,
        url: `https://h${at}.test:${at + 1}`,
      }))
      const first = found(settings, { replicas })
      const next = altered(first, { epoch: epoch(2 ** 40), parent: first.digest })
      for (const record of [first, next]) {
        const bytes = encodeRing(record)
        assert.deepEqual(decodeRing(bytes), record)
        assert.deepEqual(encodeRing(decodeRing(bytes)), bytes)
      }
    }),
    { seed, numRuns: 60 },
  )
  t.pass('every run')
})

t.test('R13: the digest is the hash of all bytes before it', async (t) => {
  const bytes = encodeRing(found(three))
  t.equal(bytes.readBigUInt64BE(bytes.length - 8), hash64(bytes.subarray(0, -8)))
})

t.test('R13: damaged bytes are refused, wherever the damage is', async (t) => {
  const bytes = encodeRing(
    found([...three, node('n4', { zone: 'z', host: 'h' })], { partitions: 8 }),
  )
  for (let at = 0; at < bytes.length; at++) {
    const damaged = Buffer.from(bytes)
    damaged[at] = damaged[at]! ^ (1 << (at % 8))
    if (errorOf(() => decodeRing(damaged)).code !== 'SHOAL_RING_DAMAGED') t.fail(`byte ${at}`)
    if (errorOf(() => decodeRing(bytes.subarray(0, at))).code !== 'SHOAL_RING_DAMAGED') {
      t.fail(`cut off at ${at}`)
    }
  }
  t.throws(() => decodeRing(Buffer.concat([bytes, Buffer.from([0])])), /checksum/)
  t.throws(() => decodeRing(Buffer.alloc(2 ** 20 + 1)), /too long/)
  t.throws(() => decodeRing(Buffer.from('SRNG')), /too short/)
  t.throws(() => decodeRing(Buffer.alloc(100)), /begin with SRNG/)
  const newer = Buffer.from(bytes)
  newer[5] = 2
  t.throws(() => decodeRing(newer), /format 2, this version reads format 1/)
})

t.test('R13: bytes whose checksum was made right are still checked', async (t) => {
  const random = createSeededRandom('ring-record')
  const bytes = encodeRing(found(three, { partitions: 8 }))
  const outcomes = { refused: 0, read: 0 }
  for (let run = 0; run < 4_000; run++) {
    const length = run % 4 === 0 ? 33 + random.below(bytes.length - 41) : bytes.length - 8
    const content = Buffer.from(bytes.subarray(0, length))
    for (let hits = random.below(3) + 1; hits > 0; hits--) {
      content[6 + random.below(length - 6)] = random.below(256)
    }
    const digest = Buffer.alloc(8)
    digest.writeBigUInt64BE(hash64(content))
    try {
      const record = decodeRing(Buffer.concat([content, digest]))
      assert.deepEqual(encodeRing(record), Buffer.concat([content, digest]))
      outcomes.read++
    } catch (error) {
      assert.equal((error as ShoalError).code, 'SHOAL_RING_DAMAGED', String(error))
      outcomes.refused++
    }
  }
  t.ok(outcomes.refused > 1_000, `${outcomes.refused} refused`)
  t.ok(outcomes.read > 100, `${outcomes.read} read: other ids, weights, ports`)
})

t.test('R13: a well-formed record that describes no ring is refused', async (t) => {
  const record = found(three, { partitions: 8 })
  const sets = (first: number[]): number[][] => [
    first,
    ...record.table.slice(1).map((set) => [...set]),
  ]
  const wrong: readonly (readonly [RegExp, Partial<RingRecord>])[] = [
    [/distinct members/, { table: sets([0, 1, 1]) }],
    [/distinct members/, { table: sets([0, 1, 3]) }],
    [/another size/, { table: record.table.slice(1) }],
    [/canonical form/, { members: [...record.members].reverse() }],
    [/canonical form/, { members: record.members.map((one) => ({ ...one, url: `${one.url}/` })) }],
    [/begin with 1/, { epoch: epoch(0), parent: '1'.repeat(16) }],
    [/no parent/, { epoch: epoch(2) }],
    [/no parent/, { parent: '1'.repeat(16) }],
    [/replicas/, { replicas: 0, table: record.table.map(() => []) }],
    [/members.n1.weight/, { members: record.members.map((one) => ({ ...one, weight: 0 })) }],
  ]
  for (const [message, change] of wrong) {
    t.throws(() => decodeRing(encodeRing(altered(record, change))), message)
  }
})

t.test('R14: a difference is named exactly', async (t) => {
  const mine = found(three)
  const differs = (members: readonly MemberSetting[], more = {}) =>
    ringDifference(mine, found(members, more))
  const [n1, n2, n3] = three as [MemberSetting, MemberSetting, MemberSetting]
  t.same(differs(three), [])
  t.same(differs(three, { replicas: 2 }), ['replicas: 3 here, 2 there'])
  t.same(differs(three, { partitions: 128 }), ['partitions: 64 here, 128 there'])
  t.same(differs([n1, n2]), ['member n3 is missing there'])
  t.same(differs([...three, node('n4')]), ['member n4 is missing here'])
  t.same(differs([n1, { ...n2, url: 'http://b:1' }, n3]), [
    'url of n2: http://127.0.0.1:7002 here, http://b:1 there',
  ])
  t.same(differs([n1, { ...n2, zone: 'a', host: 'h', weight: 2 }, n3]), [
    'zone of n2: none here, a there',
    'host of n2: none here, h there',
    'weight of n2: 1 here, 2 there',
  ])
  const secret = differs(three, { secretDigest: 'other' })
  t.match(secret, [
    /^cluster: [0-9a-f]{16} here, [0-9a-f]{16} there \(another secret or founding\)$/,
  ])
  t.equal(secret.length, 1)
})

t.test('R14: epochs, lines of descent and tables differ too', async (t) => {
  const mine = found(three)
  const second = altered(mine, { epoch: epoch(2), parent: mine.digest })
  t.same(ringDifference(mine, second), ['epoch: 1 here, 2 there'])
  t.same(ringDifference(second, altered(second, { parent: 'a'.repeat(16) })), [
    `parent: ${mine.digest} here, ${'a'.repeat(16)} there`,
  ])
  t.same(
    ringDifference(second, altered(mine, { clusterId: 'c'.repeat(16) })).length,
    2,
    'another cluster and another epoch',
  )
  const table = mine.table.map((set, at) => (at < 2 ? [...set].reverse() : set))
  t.match(ringDifference(mine, altered(mine, { table })), [/^the placement of 2 of 64 partitions/])
})

t.test('R14: a long list of differences ends in a count', async (t) => {
  const many = Array.from({ length: 30 }, (_, at) => node(`n${at + 10}`))
  const sentences = ringDifference(found(three), found(many))
  t.equal(sentences.length, 11)
  t.equal(sentences[10], '23 more differences between the members')
})
