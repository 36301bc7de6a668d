/** Certificates and tokens, made by the command and used by it. */
import { X509Certificate } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readTokens } from '@shoal/node/tokens'
import t from 'tap'
import { fakeCluster } from './support/fake-cluster.ts'
import { shoal } from './support/shoal.ts'

const folder = await mkdtemp(join(tmpdir(), 'shoal-secure-'))
t.teardown(() => rm(folder, { recursive: true }))
const dir = join(folder, 'made')
const text = (...names: string[]): Promise<string> => readFile(join(dir, ...names), 'utf8')
const peers =
  'n1=https://10.0.0.1:4100;zone=a,n2=https://node-2.example:4100;peer=https://10.0.0.2:4200'

t.test('one command makes an authority, certificates, a secret and a token', async (t) => {
  const made = await shoal(['secure', 'init', dir, '--peers', peers, '--host', 'kv.example'])
  t.match(made, { code: 0, stderr: '' })
  const token = (await text('token')).trim()
  t.notMatch(made.stdout, token, 'what is printed stays on screens')
  const ca = new X509Certificate(await text('ca.pem'))
  t.ok(ca.ca)
  for (const [id, host] of [
    ['n1', '10.0.0.1'],
    ['n2', 'node-2.example'],
  ] as const) {
    const certificate = new X509Certificate(await text(id, 'cert.pem'))
    t.ok(certificate.checkIssued(ca) && certificate.verify(ca.publicKey))
    t.ok(host === '10.0.0.1' ? certificate.checkIP(host) : certificate.checkHost(host))
    t.ok(certificate.checkHost('kv.example') && certificate.checkHost('localhost'))
    t.match(certificate.subjectAltName, `URI:urn:shoal:node:${id}`)
    t.notOk(certificate.ca, 'it makes no further ones')
  }
  const files = await readdir(dir, { recursive: true })
  for (const name of files.filter((each) => /key|secret|token/.test(each))) {
    t.equal((await stat(join(dir, name))).mode & 0o077, 0, `${name} is its owner's alone`)
  }
  t.notOk(
    files.some((each) => /^n\d\/ca-key/.test(each)),
    'no node can make nodes',
  )
  t.notMatch(await text('tokens.toml'), token.slice(15))
})

t.test('each node can start with what it was given', async (t) => {
  for (const id of ['n1', 'n2']) {
    const file = join(dir, id, 'shoal.toml')
    const { code, stdout, stderr } = await shoal(['config', 'show', '--json', '--config', file])
    t.match({ code, stderr }, { code: 0, stderr: '' }, 'nothing is open, nothing is missing')
    t.same((JSON.parse(stdout) as { warnings: unknown[] }).warnings, [], id)
    const secret = (await text(id, 'secret')).trim()
    t.notOk(stdout.includes(secret))
  }
})

t.test('nothing is written over', async (t) => {
  const before = await text('ca-key.pem')
  t.match(await shoal(['secure', 'init', dir]), { code: 2, stderr: /is there already/ })
  t.equal(await text('ca-key.pem'), before)
  const plain = ['secure', 'init', join(folder, 'x'), '--peers', 'n1=http://10.0.0.1:4100']
  t.match(await shoal(plain), { code: 2, stderr: /begins with https:/ })
})

t.test('a certificate is renewed, and the rest stays', async (t) => {
  const before = { cert: await text('n1', 'cert.pem'), config: await text('n1', 'shoal.toml') }
  const again = ['secure', 'node', dir, 'n1=https://10.0.0.9:4100', '--days', '30']
  t.match(await shoal(again), { code: 0 })
  const certificate = new X509Certificate(await text('n1', 'cert.pem'))
  t.not(await text('n1', 'cert.pem'), before.cert)
  t.equal(await text('n1', 'shoal.toml'), before.config)
  t.ok(certificate.checkIP('10.0.0.9'))
  t.ok(certificate.checkIssued(new X509Certificate(await text('ca.pem'))))
  t.match(await shoal(['secure', 'node', dir, 'n3=https://10.0.0.3:4100']), { code: 0 })
  t.ok((await readdir(join(dir, 'n3'))).includes('tokens.toml'))
})

t.test('tokens are made, listed and revoked, in the folder of each node too', async (t) => {
  const wanted = ['--name', 'shop', '--scopes', 'read,write', '--buckets', 'carts,shop-*']
  const made = await shoal(['secure', 'add-token', dir, ...wanted, '--days', '30', '--rate', '50'])
  t.equal(made.code, 0)
  const token = made.stdout.trim()
  t.match(token, /^shoal_[a-z2-7]{8}_[\w-]{43}$/)
  for (const where of ['.', 'n1', 'n2']) {
    const tokens = readTokens('tokens', await text(where, 'tokens.toml'))
    t.match(tokens, [{ name: 'first' }, { name: 'shop', buckets: ['carts', 'shop-*'], rate: 50 }])
  }
  const id = token.slice(6, 14)
  t.match((await shoal(['secure', 'tokens', dir])).stdout, new RegExp(`${id} +shop +read, write`))
  t.match(await shoal(['secure', 'revoke', dir, id]), { code: 0 })
  t.match(await shoal(['secure', 'revoke', dir, id]), { code: 2, stderr: /no token/ })
  for (const where of ['.', 'n1', 'n2']) {
    t.equal(readTokens('tokens', await text(where, 'tokens.toml')).length, 1)
  }
  const wrong = ['secure', 'add-token', dir, '--name', 'x', '--scopes', 'root']
  t.match(await shoal(wrong), { code: 2, stdout: '', stderr: /read, write, admin/ })
  t.equal(readTokens('tokens', await text('tokens.toml')).length, 1)
  const state = [
    'secure',
    'add-token',
    dir,
    '--name',
    'metrics',
    '--scopes',
    'read',
    '--no-buckets',
  ]
  t.match(await shoal(state), { code: 0 })
  t.same(readTokens('tokens', await text('tokens.toml'))[1]?.buckets, [])
})

t.test('commands show a token from a file or a variable, never from a flag', async (t) => {
  const { url, requests } = await fakeCluster(t, () => ({ status: 204 }))
  const file = join(dir, 'token')
  const token = (await text('token')).trim()
  const put = ['put', 'carts', '42', 'milk', '--url', url]
  await shoal([...put, '--token-file', file])
  await shoal(put, { env: { SHOAL_TOKEN: token } })
  await shoal(put, { env: { SHOAL_TOKEN_FILE: file } })
  await shoal(put)
  const shown = requests.map(({ headers }) => headers.authorization)
  t.same(shown, [`Bearer ${token}`, `Bearer ${token}`, `Bearer ${token}`, undefined])
  t.match(await shoal([...put, '--token', token]), { code: 2 })
  const broken = await shoal(put, { env: { SHOAL_TOKEN: 'two\nlines' } })
  t.match(broken, { code: 2, stderr: /SHOAL_TOKEN: it holds no token/ })
  t.notMatch(broken.stderr, /two/)
})

t.test('who is refused is told what to give', async (t) => {
  const code = 'SHOAL_UNAUTHENTICATED'
  const body = { code, status: 401, title: 'No valid token', detail: 'none', retry: 'never' }
  const headers = { 'content-type': 'application/problem+json' }
  const { url } = await fakeCluster(t, () => ({ status: 401, headers, body }))
  const refused = await shoal(['get', 'carts', '42', '--url', url])
  t.match(refused, { code: 2, stderr: /SHOAL_UNAUTHENTICATED[\s\S]*--token-file/ })
})
