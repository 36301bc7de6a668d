/** Members as one text, and what the ring says of them. */
import fc from 'fast-check'
import t from 'tap'
import { formatMembers, readMembersText } from '../src/config/members.ts'
import { readWith, refusalWith } from './config-support.ts'

const refused: [text: string, ...errors: string[]][] = [
  ['', ' at 0: a member is ID=URL, such as n1=http://10.0.0.1:4100'],
  ['n1', ' at 0: a member is ID=URL, such as n1=http://10.0.0.1:4100'],
  ['n1=', ' at 0: a member is ID=URL, such as n1=http://10.0.0.1:4100'],
  ['=http://a', ' at 0: a member is ID=URL, such as n1=http://10.0.0.1:4100'],
  ['n1=http://a,', ' at 12: a member is ID=URL, such as n1=http://10.0.0.1:4100'],
  ['n1=http://a, ,n2=http://b', ' at 13: a member is ID=URL, such as n1=http://10.0.0.1:4100'],
  ['n1=http://a;', ', n1 at 12: after ; comes zone, host, weight or peer, with = and a value'],
  ['n1=http://a;rack=1', ', n1, rack at 12: a member has zone, host, weight or peer'],
  [
    'n1=http://a; zome=1',
    ', n1, zome at 13: a member has zone, host, weight or peer; did you mean zone?',
  ],
  ['n1=http://a;zone', ', n1, zone at 12: it needs a value: zone=...'],
  ['n1=http://a;zone=', ', n1, zone at 12: it needs a value: zone=...'],
  ['n1=http://a;zone=b;zone=c', ', n1, zone at 19: it is given twice'],
  ['n1=http://a;weight=heavy', ', n1, weight: a weight is a number, such as 1 or 0.5'],
  ['n1=http://a;weight=-1', ', n1, weight: a weight is a number, such as 1 or 0.5'],
  ['n1=http://a;weight=0', ', n1, weight: a weight is 0.1 to 1000, not 0'],
  ['n1=http://a;weight=1001', ', n1, weight: a weight is 0.1 to 1000, not 1001'],
  ['n1=http://user:pass@a', ', n1, url: a URL holds no user name or password'],
  ['n1=http://a;peer=http://user@a', ', n1, peer: a URL holds no user name or password'],
  ['n1=a:4100', ', n1, url: "a:4100" is not an http or https URL of scheme, host and port'],
  [
    'n1=http://a/path',
    ', n1, url: "http://a/path" is not an http or https URL of scheme, host and port',
  ],
  [
    'n1=http://a;peer=b:1',
    ', n1, peer: "b:1" is not an http or https URL of scheme, host and port',
  ],
  ['n1=http://a,n1=http://b', ', n1, id: n1 is used twice (by n1)'],
  ['n1=http://a,n2=http://A:80/', ', n2, url: http://a is used twice (by n1)'],
  [
    'n1=http://a;peer=http://c,n2=http://b;peer=http://c',
    ', n2, peer: http://c is used twice (by n1)',
  ],
  ['n1=http://a;zone=a b', ', n1, zone: a zone is at most 64 of A-Z a-z 0-9 . _ : / -'],
  [
    'n1=http://a;zone=x;host=h,n2=http://b;zone=y;host=h',
    ', n2, zone: host h is in zone "x" by n1 and in "y" here',
  ],
  [
    'n1=http://a;zoen=x,n2,n3=http://c;weight=x',
    ', n1, zoen at 12: a member has zone, host, weight or peer; did you mean zone?',
    ' at 19: a member is ID=URL, such as n1=http://10.0.0.1:4100',
    ', n3, weight: a weight is a number, such as 1 or 0.5',
  ],
]

t.test('what is wrong with a list of members is told with its place', async (t) => {
  for (const [text, ...errors] of refused) {
    t.same(
      refusalWith({ flags: { peers: text } }).errors,
      errors.map((error) => `--peers${error}`),
      text,
    )
  }
  const { errors } = refusalWith({ environment: { SHOAL_PEERS: 'n1=http://a;zone' } })
  t.same(errors, ['SHOAL_PEERS, n1, zone at 12: it needs a value: zone=...'])
})

t.test('the ring judges members of the file too', async (t) => {
  const toml = '[[members]]\nid = "n.1"\nurl = "ftp://a"\nweight = 0.01'
  t.same(refusalWith({ flags: { nodeId: 'n.1' }, toml }).errors, [
    '/etc/shoal.toml: members, n.1, url: "ftp://a" is not an http or https URL of scheme, ' +
      'host and port',
    '/etc/shoal.toml: members, n.1, weight: a weight is 0.1 to 1000, not 0.01',
  ])
})

t.test('a list may be broken over lines', async (t) => {
  const peers = '\n  n1 = http://a:1 ; zone = x ,\n  n2=http://b:2\n'
  t.same(readWith({ flags: { peers } }).settings.members, [
    { id: 'n1', url: 'http://a:1', zone: 'x' },
    { id: 'n2', url: 'http://b:2' },
  ])
})

t.test('as many members as a ring takes, and one more', async (t) => {
  const list = (count: number): string =>
    Array.from({ length: count }, (_, index) => `n${index}=http://a:${index + 1}`).join()
  t.equal(readWith({ flags: { peers: list(1_000) } }).settings.members.length, 1_000)
  t.same(refusalWith({ flags: { peers: list(1_001) } }).errors, [
    '--peers: a ring has 1 to 1000 members, not 1001',
  ])
})

t.test('property: what is written of members is read as it was', async () => {
  const label = fc.stringMatching(/^[A-Za-z0-9._:/-]{1,8}$/)
  const weight = fc.integer({ min: 100, max: 1_000_000 }).map((value) => value / 1_000)
  const attributes = fc.record(
    { zone: label, weight, peer: fc.boolean() },
    { requiredKeys: ['peer'] },
  )
  const clusters = fc.array(attributes, { minLength: 1, maxLength: 8 }).map((all) =>
    all.map(({ peer, ...rest }, index) => ({
      id: `n${index}`,
      url: `http://a:${index + 1}`,
      ...rest,
      ...(peer ? { peerUrl: `http://p:${index + 1}` } : {}),
    })),
  )
  fc.assert(
    fc.property(clusters, (members) => {
      const text = formatMembers(members as unknown as Parameters<typeof formatMembers>[0])
      const reading = readMembersText(text)
      return 'value' in reading && JSON.stringify(reading.value) === inOrder(members)
    }),
    { seed: 20_260_131, numRuns: 300 },
  )
})

/** With the attributes in the order in which the reader sets them. */
const inOrder = (members: readonly Record<string, unknown>[]): string =>
  JSON.stringify(
    members.map(({ id, url, zone, weight, peerUrl }) => ({ id, url, zone, weight, peerUrl })),
  )
