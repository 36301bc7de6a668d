/** A cluster with TLS, certificates and tokens, as one command made it, and what strangers try. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { request } from 'node:https'
import { connect as connectPlain } from 'node:net'
import { join } from 'node:path'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { gzipSync } from 'node:zlib'
import { connect } from '@shoal/client'
import t from 'tap'
import { kv } from './support/http.ts'
import { prepareSecured, shoal } from './support/secured-cluster.ts'
import { until } from './support/until.ts'

t.setTimeout(280_000)

const ids = ['n1', 'n2', 'n3'] as const
const { folder, dir, firstPort: first, urls, nodes, file } = await prepareSecured(t, ids)
const [url = ''] = urls
const [ca, token, secret] = [file('ca.pem'), file('token').trim(), file('secret').trim()]
await Promise.all(nodes.map((node) => node.start()))

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
}

/** Everything that any node answered to anyone. */
let answered = ''

function ask(
  path: string,
  more: { method?: string; headers?: Record<string, string>; body?: string | Buffer } = {},
  who: string | undefined = token,
): Promise<Answer> {
  const { method = 'GET', body } = more
  const headers = { ...(who && { authorization: `Bearer ${who}` }), ...more.headers }
  return new Promise((resolve, reject) => {
    const sent = request(`${url}${path}`, { ca, method, headers, agent: false }, (response) => {
      const pieces: Buffer[] = []
      response.on('data', (piece: Buffer) => pieces.push(piece))
      response.on('end', () => {
        const text = Buffer.concat(pieces).toString('utf8')
        answered += `${response.rawHeaders.join('\n')}\n${text}\n`
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text })
      })
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

async function openTls(): Promise<TLSSocket> {
  const socket = connectTls({ host: '127.0.0.1', port: first, ca })
  socket.on('error', () => {})
  await once(socket, 'secureConnect')
  return socket
}

/** Sends bytes over TLS and reads until the node closes. */
async function say(bytes: string | Buffer): Promise<string> {
  const socket = await openTls()
  let heard = ''
  socket.on('data', (piece: Buffer) => {
    heard += piece.toString('latin1')
  })
  socket.write(bytes)
  // A reset after the answer is an end like any other; `once` would reject with it.
  await new Promise<void>((resolve) => socket.once('close', () => resolve()))
  answered += heard
  return heard
}

const stillServes = async (): Promise<boolean> =>
  (await ask(kv('check', '1'), { method: 'PUT', body: 'fine' })).status === 204 &&
  (await ask(kv('check', '1'))).text === 'fine'

t.test('the nodes find each other, and clients with a token are served by all', async (t) => {
  const whole = async (): Promise<boolean> => (await ask('/healthz')).text.includes('healthy: can')
  await until('all nodes to know each other', whole)
  const client = connect(urls, { token, tls: { ca } })
  t.teardown(() => client.close())
  t.ok(await client.ready(), 'the ring is for those with a token')
  const written = await client.put('carts', '42', 'milk')
  t.ok(written)
  const read = await client.get('carts', '42')
  t.equal(read.kind === 'value' && read.value.text(), 'milk')
  const asked = ['--url', url, '--ca', join(dir, 'ca.pem'), '--token-file', join(dir, 'token')]
  t.match(await shoal('status', ...asked), { code: 0, out: /^healthy/ })
})

t.test('without a token there are only the probes', async (t) => {
  for (const path of ['/livez', '/readyz']) t.equal((await ask(path, {}, '')).status, 200, path)
  for (const path of ['/metrics', '/healthz', '/v1/ring', '/v1/cluster', kv('carts', '42')]) {
    t.equal((await ask(path, {}, '')).status, 401, path)
  }
  t.equal((await ask(kv('carts', '42'), { method: 'DELETE' }, '')).status, 401)
  t.equal((await ask(kv('carts', '42'))).text, 'milk')
})

t.test('tokens are guessed in vain', async (t) => {
  const statuses = await Promise.all(
    Array.from({ length: 60 }, () =>
      ask('/v1/ring', {}, `${token.slice(0, 15)}${randomBytes(32).toString('base64url')}`),
    ),
  )
  const counts = [401, 429].map((wanted) => statuses.filter(({ status }) => status === wanted))
  t.equal((counts[0]?.length ?? 0) + (counts[1]?.length ?? 0), 60)
  t.ok((counts[1]?.length ?? 0) > 20, 'most get 429')
  t.ok(counts[1]?.every(({ headers }) => Number(headers['retry-after']) >= 1))
  t.ok(await stillServes(), 'and whoever has one is served from the same address')
})

t.test('a new token works without a restart, and a revoked one no longer', async (t) => {
  const words = ['--name', 'shop', '--scopes', 'read', '--buckets', 'shop-*']
  const { out } = await shoal('secure', 'add-token', dir, ...words)
  const [reader = ''] = out.split('\n').filter((line) => line.startsWith('shoal_'))
  const is = (status: number) => async () =>
    (await ask(kv('shop-1', '1'), {}, reader)).status === status
  await until('the new token to be taken', is(404))
  t.equal((await ask(kv('carts', '42'), {}, reader)).status, 403)
  t.equal((await ask(kv('shop-1', '1'), { method: 'PUT', body: 'x' }, reader)).status, 403)
  t.equal((await ask('/v1/buckets/shop-1', { method: 'DELETE' }, reader)).status, 403)
  t.equal((await shoal('secure', 'revoke', dir, reader.slice(6, 14))).code, 0)
  const isOut = async () => (await ask('/v1/ring', {}, reader)).status !== 200
  await until('the revoked token to be refused', isOut)
  t.notOk(file('n1', 'audit.log').includes(reader.slice(15)))
})

t.test('a renewed certificate is used without a restart', async (t) => {
  const fingerprint = async (): Promise<string> => {
    const socket = await openTls()
    const { fingerprint256 } = socket.getPeerCertificate()
    socket.destroy()
    return fingerprint256
  }
  const before = await fingerprint()
  t.equal((await shoal('secure', 'node', dir, `n1=${url}`)).code, 0)
  await until('the new certificate', async () => (await fingerprint()) !== before)
  t.ok(await stillServes())
})

t.test('the hostile list', async (t) => {
  const head = `PUT ${kv('carts', '42')} HTTP/1.1\r\nHost: n1\r\n`
  const bearer = `Authorization: Bearer ${token}\r\n`
  const flood = Array.from({ length: 3_000 }, (_, at) => `X-${at}: ${'y'.repeat(20)}\r\n`).join('')
  t.match(await say(`${head}${flood}\r\n`), /^HTTP\/1\.1 431 /, 'a flood of headers')
  const tricks = ['/v1/kv/../kv/_system/x', '/v1/kv/%2e%2e/x', '/v1/kv/_buckets/x', '//v1/kv/a/b']
  for (const path of [
    ...tricks,
    '/v1/%6Bv/carts/42',
    '/ui/../v1/kv/carts/42',
    '/ui/..%2f..%2fetc',
  ]) {
    const { status } = await ask(path, {}, '')
    t.not(status, 204, path)
    t.ok(status >= 400 || (status === 200 && path.startsWith('/ui')), `${path}: ${status}`)
  }
  t.match(await say(`${head}${bearer}Content-Length: 99999999999\r\n\r\n`), /^HTTP\/1\.1 413 /)
  t.match(await say(`${head}Content-Length: 99999999999\r\n\r\n`), /^HTTP\/1\.1 401 /)
  const bomb = gzipSync(Buffer.alloc(50_000_000))
  const headers = { 'content-encoding': 'gzip', 'content-type': 'application/json' }
  const batch = await ask('/v1/batch', { method: 'POST', headers, body: bomb })
  t.ok([400, 415].includes(batch.status), `a compressed batch is not inflated: ${batch.status}`)
  const stored = await ask(kv('b', 'bomb'), { method: 'PUT', headers, body: bomb })
  t.equal(stored.status, 204, 'a compressed value is bytes like others')
  const forged = `c1.${randomBytes(40).toString('base64url')}`
  const write = { method: 'PUT', body: 'x', headers: { 'causal-context': forged } }
  t.equal((await ask(kv('carts', '42'), write)).status, 400, 'a forged context')
  const { headers: told } = await ask(kv('other', '1'), { method: 'PUT', body: 'x' })
  const foreign = { 'causal-context': String(told['causal-context']) }
  t.match(
    await ask(kv('carts', '42'), { ...write, headers: foreign }),
    { status: 400, text: /SHOAL_CONTEXT_FOREIGN/ },
    'the context of another key',
  )
  t.ok(await stillServes())
})

t.test('slow ones hold nobody up and are cut off', async (t) => {
  const plain = connectPlain({ host: '127.0.0.1', port: first })
  plain.on('error', () => {})
  plain.write('\x16\x03\x01\x02')
  const slow = await openTls()
  slow.write('GET /v1/ring HTTP/1.1\r\nHost: n1\r\nX: ')
  const drip = setInterval(() => slow.write('x'), 500)
  t.ok(await stillServes())
  await Promise.all([once(plain, 'close'), once(slow.resume(), 'close')])
  clearInterval(drip)
  t.ok(await stillServes(), 'both within the time for a request head')
})

t.test('nobody becomes a peer without a certificate and the secret', async (t) => {
  const upgrade =
    'GET / HTTP/1.1\r\nHost: n1\r\nConnection: Upgrade\r\nUpgrade: shoal-peer/1\r\n\r\n'
  t.match(await say(upgrade), /^HTTP\/1\.1 403 /, 'without a certificate')
  const [cert, key] = [file('n2', 'cert.pem'), file('n2', 'key.pem')]
  const socket = connectTls({ host: '127.0.0.1', port: first, ca, cert, key })
  socket.on('error', () => {})
  socket.write(`${upgrade}${'\0'.repeat(2_000)}`)
  let heard = ''
  socket.on('data', (piece: Buffer) => {
    heard += piece.toString('latin1')
  })
  await once(socket, 'close')
  t.match(heard, /^HTTP\/1\.1 101 /)
  t.notMatch(heard, secret, 'with one, and without the secret, it ends there')
  t.ok(await stillServes())
})

t.test('a fresh node on a public address refuses to start open', async (t) => {
  const words = ['--node-id', 'n9', '--data', join(folder, 'n9'), '--listen', '0.0.0.0:0']
  const refused = await shoal('start', ...words, '--secret-file', join(dir, 'secret'))
  t.match(refused, { code: 2, out: /SHOAL_LISTEN_OPEN[\s\S]*--allow-open/ })
})

t.test('no secret was printed, logged, shown or answered', async (t) => {
  for (const path of ['/v1/cluster', '/v1/nodes', '/v1/ring', '/metrics', '/v1/hints'])
    await ask(path)
  await ask(`/v1/kv/carts/${'x'.repeat(2_000)}`)
  await ask('/v1/kv/carts/42', { headers: { consistency: 'nonsense' } })
  const shown = await shoal('config', 'show', '--config', join(dir, 'n1', 'shoal.toml'))
  const logs = nodes.map(({ log }) => log).join('\n')
  const audits = ids.map((id) => file(id, 'audit.log')).join('\n')
  const keyOf = (id: string): string => file(id, 'key.pem').split('\n')[1] ?? ''
  const secrets = { secret, token: token.slice(15), key: keyOf('n1'), other: keyOf('n2') }
  for (const [name, hidden] of Object.entries(secrets)) {
    t.ok(hidden.length > 20)
    for (const [where, text] of Object.entries({ logs, audits, answered, shown: shown.out })) {
      t.ok(text.length > 100, `${where} holds something`)
      t.notOk(text.includes(hidden), `${name} is not in ${where}`)
    }
  }
  t.match(audits, /"event":"refused"/)
  t.match(audits, /"event":"reload"/)
})
