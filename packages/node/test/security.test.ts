/** Tokens and certificates from files, replaced while the node runs; what is written down of it. */
import { mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSystemEnv, ShoalError } from '@shoal/kernel'
import t, { type Test } from 'tap'
import { clientOf } from '../src/security/address.ts'
import { Allowance } from '../src/security/allowance.ts'
import { openSecurity, type Security } from '../src/security/security.ts'
import { covers, digestOf, makeToken, type TokenRecord } from '../src/security/token.ts'
import { formatToken, readTokens, withoutToken } from '../src/security/token-file.ts'
import type { SecuritySettings } from '../src/settings.ts'
import { Lines } from './http/doubles.ts'
import { identityOf } from './security-support.ts'

const env = createSystemEnv((reason) => {
  throw reason
})

const secret = Buffer.alloc(32, 7)
const { id, token } = makeToken({ id: Buffer.alloc(5, 3), secret })
const record: TokenRecord = {
  id,
  name: 'first',
  digest: digestOf(token),
  scopes: ['read', 'write'],
  buckets: ['carts', 'shop-*'],
  expires: Date.UTC(2100, 0),
  rate: 50,
}
const created = new Date(0)

t.test(
  'a token has an id, a prefix that scanners know, and comes back from its file',
  async (t) => {
    t.match(token, /^shoal_[a-z2-7]{8}_[\w-]{43}$/)
    const text = formatToken(record, created)
    t.same(readTokens('/tokens', text), [record])
    t.notMatch(text, token.slice(15), 'the file holds no token')
    const { expires: _never, rate: _any, ...plain } = record
    const bare = { ...plain, expires: undefined, rate: undefined }
    t.same(readTokens('/tokens', formatToken(bare, created)), [bare])
    t.same(readTokens('/tokens', ''), [], 'an empty file lets nobody in')
    const other = { ...bare, id: 'aaaaaaaa' }
    const both = `# ours\n${text}\n# theirs\n${formatToken(other, created)}`
    t.same(readTokens('/tokens', withoutToken('/tokens', both, id)), [other])
    t.equal(withoutToken('/tokens', both, 'bbbbbbbb'), both)
    const bareFile = `${text}\n${formatToken(other, created)}`
    const rest = withoutToken('/tokens', bareFile, id)
    t.same(readTokens('/tokens', rest), [other], 'the one that the file begins with, too')
    t.equal(withoutToken('/tokens', rest, other.id), '')
  },
)

t.test('what is wrong with a file of tokens is told by its place, not quoted', async (t) => {
  const good = formatToken(record, created)
  const cells: [string, RegExp][] = [
    ['tokens = "shoal_secret"', /^\/tokens: tokens are \[\[tokens\]\]/],
    [good.replace('"first"', '""'), /tokens\[0\]\.name/],
    [good.replace(/sha256 = .*/, 'sha256 = "shoal_secret"'), /tokens\[0\]\.sha256: it is 64 of/],
    [good.replace('"read"', '"root"'), /tokens\[0\]\.scopes: it is a list of read, write, admin/],
    [good.replace('"carts"', '"ca*rts"'), /tokens\[0\]\.buckets/],
    [good.replace(/expires = .*/, 'expires = "soon"'), /tokens\[0\]\.expires/],
    [good.replace('rate = 50', 'rate = 0'), /tokens\[0\]\.rate/],
    [good.replace('created', 'secret'), /tokens\[0\]\.secret: a token has id/],
    [`${good}\n${good}`, /stands there twice/],
    [`${good}\nshoal_secret`, /^\/tokens:\d+:\d+: it is not TOML/],
    [`admin = true\n${good}`, /\/tokens: admin: there are only tables/],
  ]
  for (const [text, expected] of cells) {
    try {
      readTokens('/tokens', text)
      t.fail(`accepted ${text}`)
    } catch (error) {
      const { details, message } = error as ShoalError
      const told = [
        message,
        ...(details.errors ?? []).map((each) => `${each.field}: ${each.message}`),
      ]
      t.ok(
        told.some((line) => expected.test(line)),
        told.join('\n'),
      )
      t.notOk(JSON.stringify(told).includes('shoal_secret'))
    }
  }
})

t.test('buckets are named whole, or by their beginning', async (t) => {
  const cells: [string[], string, boolean][] = [
    [['*'], 'carts', true],
    [['carts'], 'carts', true],
    [['carts'], 'carts2', false],
    [['carts'], 'cart', false],
    [['shop-*'], 'shop-', true],
    [['shop-*'], 'shop-1', true],
    [['shop-*'], 'shop', false],
    [['a', 'b*'], 'bc', true],
    [[], 'a', false],
  ]
  for (const [patterns, bucket, wanted] of cells) {
    t.equal(covers(patterns, bucket), wanted, `${patterns} ${bucket}`)
  }
})

t.test('a rate may be used at once up to its burst, and then evenly', async (t) => {
  const allowance = new Allowance({ rate: 10, burst: 5 }, 1_000)
  const taken = (now: number): number => {
    let count = 0
    while (allowance.take(1, now) === 0) count++
    return count
  }
  t.equal(taken(1_000), 5)
  t.equal(allowance.take(1, 1_000), 100)
  t.equal(taken(1_100), 1)
  t.equal(taken(1_950), 5, 'no more than the burst is saved up')
  let total = 0
  for (let now = 10_000; now < 110_000; now += 7) total += taken(now)
  t.ok(Math.abs(total - 1_000) <= 6, `${total} in 100 s at 10 a second`)
})

t.test('whoever has an IPv6 network to himself is one client', async (t) => {
  const cells: [string, string][] = [
    ['10.0.0.1', '10.0.0.1'],
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['::1', '0:0:0:0::/64'],
    ['2001:DB8::1', '2001:db8:0:0::/64'],
    ['2001:db8::2:3:4:5', '2001:db8:0:0::/64'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1::', '2001:db8:1:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['', ''],
  ]
  for (const [address, client] of cells) t.equal(clientOf(address), client, address)
})

interface Opened {
  readonly security: Security
  readonly log: Lines
  readonly path: (name: string) => string
}

async function open(
  t: Test,
  settings: (path: Opened['path']) => SecuritySettings,
): Promise<Opened> {
  const folder = await mkdtemp(join(tmpdir(), 'shoal-security-'))
  let security: Security | undefined
  // Also when it cannot be opened.
  t.teardown(async () => {
    await security?.close()
    await rm(folder, { recursive: true })
  })
  const path = (name: string): string => join(folder, name)
  const identity = await identityOf('n1')
  await writeFile(path('tokens'), formatToken(record, created))
  await writeFile(path('cert'), identity.cert)
  await writeFile(path('key'), identity.key)
  const log = new Lines()
  security = await openSecurity({ env, log, node: 'n1', settings: settings(path) })
  return { security, log, path }
}

const comesIn = ({ gate }: Security): boolean => {
  const claim = { authorization: `Bearer ${token}`, address: '::1' }
  return !(gate?.admit(claim, 'read') instanceof ShoalError)
}

t.test(
  'tokens are read again when their file changes, and a wrong file changes nothing',
  async (t) => {
    const { security, log, path } = await open(t, (path) => ({
      tokensFile: path('tokens'),
      rateLimit: 0,
    }))
    t.ok(comesIn(security))
    await writeFile(path('tokens'), 'tokens = [{ id = "x" }]')
    await security.reload()
    await security.reload()
    t.ok(comesIn(security), 'those before stay')
    const errors = log.lines.filter(({ level }) => level === 'error')
    t.equal(errors.length, 1, 'told once')
    t.match(errors, [{ message: /tokens not read again/ }])
    await rm(path('tokens'))
    await security.reload()
    t.ok(comesIn(security), 'a file that is missing for a moment locks nobody out')
    await writeFile(path('next'), '# nobody\n')
    await rename(path('next'), path('tokens'))
    await security.reload()
    t.notOk(comesIn(security))
    t.match(log.lines.at(-1), { details: { audit: 'reload', what: 'tokens' } })
  },
)

t.test('a certificate and its key are taken together or not at all', async (t) => {
  const { security, log, path } = await open(t, (path) => ({
    tls: { certFile: path('cert'), keyFile: path('key') },
    rateLimit: 0,
  }))
  const seen: string[] = []
  security.onIdentity(({ cert }) => void seen.push(cert))
  const { cert, key } = await identityOf('n1')
  await writeFile(path('cert'), cert)
  await security.reload()
  t.not(security.identity?.cert, cert, 'the key is still that of the one before')
  await writeFile(path('key'), key)
  await security.reload()
  t.equal(security.identity?.cert, cert)
  t.same(seen, [cert])
  const text = JSON.stringify(log.lines)
  t.notMatch(text, 'PRIVATE KEY')
  t.notMatch(text, key.split('\n')[1] ?? 'no key')
})

t.test('a node does not start with files that it cannot use', async (t) => {
  const wrong = (settings: (path: Opened['path']) => SecuritySettings) =>
    t.rejects(open(t, settings), { code: 'SHOAL_CONFIG_INVALID' })
  await wrong((path) => ({ tokensFile: path('none'), rateLimit: 0 }))
  await wrong((path) => ({ tokensFile: path('cert'), rateLimit: 0 }))
  await wrong((path) => ({ tls: { certFile: path('tokens'), keyFile: path('key') }, rateLimit: 0 }))
})

t.test('the audit log is lines of JSON for its owner, and follows rotation', async (t) => {
  const { security, path } = await open(t, (path) => ({
    tokensFile: path('tokens'),
    auditFile: path('audit'),
    rateLimit: 0,
  }))
  const lines = async (name: string): Promise<object[]> => {
    const text = await readFile(path(name), 'utf8')
    return text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as object)
  }
  const written = async (name: string, count: number): Promise<object[]> => {
    for (;;) {
      const found = await lines(name).catch(() => [])
      if (found.length >= count) return found
    }
  }
  security.audit.record('admin', { by: 'somebody' })
  t.match(await written('audit', 2), [
    { node: 'n1', event: 'start', tokens: true, tls: false },
    { time: /^\d{4}-.*Z$/, event: 'admin', by: 'somebody' },
  ])
  t.equal((await stat(path('audit'))).mode & 0o777, 0o600)
  await rename(path('audit'), path('audit.1'))
  await security.reload()
  security.audit.record('admin', { by: 'another' })
  t.match(await written('audit', 1), [{ by: 'another' }])
  t.equal((await lines('audit.1')).length, 2)
})

t.test('without settings there is no gate, and a request pays nothing', async (t) => {
  const { security } = await open(t, () => ({ rateLimit: 0 }))
  t.equal(security.gate, undefined)
  t.equal(security.identity, undefined)
})
