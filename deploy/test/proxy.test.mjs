/** The examples of reverse proxies, checked by the proxies themselves and then used. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { startCluster, until } from './support/cluster.mjs'
import { needs, passes, refuses, serve, textOf } from './support/tool.mjs'

/** What stands in the examples and cannot be had here, and what takes its place. */
function placed(t, example, { hosts, port }) {
  const work = mkdtempSync(join(tmpdir(), 'shoal-proxy-'))
  t.teardown(() => rmSync(work, { recursive: true, force: true }))
  const [certificate, key] = certificateIn(work)
  const text = textOf(example)
    .replaceAll(/10\.0\.0\.([123]):4100/g, (_, index) => hosts[index - 1])
    .replaceAll('/etc/nginx/tls/shoal.crt', certificate)
    .replaceAll('/etc/nginx/tls/shoal.key', key)
    .replaceAll('/var/log/nginx', work)
    .replace('listen 443', `listen 127.0.0.1:${port}`)
    .replace(/^shoal\.example\.com \{/m, `${ownHost(port)} {\n\ttls ${certificate} ${key}`)
  const more = example.endsWith('.conf')
    ? [`user root; pid ${work}/pid; error_log stderr; daemon off;`, withTemporary(text, work)].join(
        '\n',
      )
    : `{\n\tadmin off\n\tauto_https off\n\tstorage file_system ${work}\n}\n${text}`
  const path = join(work, example.split('/')[1])
  writeFileSync(path, more)
  return path
}

const ownHost = (port) => `https://localhost:${port}`

/** nginx is not installed here, so its folders are not there. */
const withTemporary = (text, work) => {
  const lines = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${work}/${name};`)
    .join('\n')
  return text.replace('http {', `http {\n${lines}`)
}

function certificateIn(work) {
  const paths = [join(work, 'shoal.crt'), join(work, 'shoal.key')]
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
  const name = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost']
  const out = ['-out', paths[0], '-keyout', paths[1]]
  execFileSync('openssl', ['req', '-x509', ...kind, ...name, ...out], { stdio: 'ignore' })
  return paths
}

const checks = {
  nginx: (path) => ['-t', '-q', '-c', path],
  caddy: (path) => ['validate', '--adapter', 'caddyfile', '--config', path],
}
const starts = {
  nginx: (path) => ['-c', path],
  caddy: (path) => ['run', '--adapter', 'caddyfile', '--config', path],
}
const examples = { nginx: 'proxy/nginx.conf', caddy: 'proxy/Caddyfile' }
const wrongs = {
  nginx: ['proxy_read_timeout', 'proxy_reading_timeout'],
  caddy: ['lb_policy', 'lb_policies'],
}

for (const [name, example] of Object.entries(examples)) {
  t.test(`${name} takes the example`, needs(name), async (t) => {
    const hosts = ['127.0.0.1:4101', '127.0.0.1:4102', '127.0.0.1:4103']
    const path = placed(t, example, { hosts, port: 8443 })
    await passes(t, name, checks[name](path))
    const [right, wrong] = wrongs[name]
    writeFileSync(path, textOf(example).replaceAll(right, wrong))
    await refuses(t, name, checks[name](path), new RegExp(wrong))
  })

  t.test(`a cluster behind ${name} serves as without it`, needs(name), async (t) => {
    const cluster = await startCluster(t)
    const port = await freePort()
    const path = placed(t, example, { hosts: cluster.hosts, port })
    const log = serve(t, name, starts[name](path))
    const ask = (place, options) => askAt(port, place, options)
    await until(`${name} answers: ${log()}`, async () => (await ask('/readyz')).status === 200)
    await keysComeThrough(t, ask)
    await valuesComeThrough(t, ask)
    await insideStaysInside(t, ask)
    await aLostNodeIsPassedBy(t, ask, cluster)
  })
}

async function keysComeThrough(t, ask) {
  for (const key of ['a%2Fb', 'a%2F%2Fb', '..%2F..', 'sp%20ce', '%C3%A9%25', 'a+b&c=d', 'x%3Fy']) {
    const body = Buffer.from(`value of ${key}`)
    const put = await ask(`/v1/kv/proxied/${key}`, { method: 'PUT', body })
    const got = await ask(`/v1/kv/proxied/${key}`)
    t.same([put.status, got.status, got.body.toString()], [204, 200, body.toString()], key)
    t.ok(got.headers['causal-context'] && got.headers.receipt, 'with its headers')
  }
}

async function valuesComeThrough(t, ask) {
  const body = Buffer.alloc(1_048_576, 'large')
  t.equal((await ask('/v1/kv/proxied/large', { method: 'PUT', body })).status, 204)
  t.ok((await ask('/v1/kv/proxied/large')).body.equals(body), 'a value of 1 MiB')
  const long = 'k'.repeat(1_000)
  t.equal((await ask(`/v1/kv/proxied/${long}`, { method: 'PUT', body: 'x' })).status, 204)
  const headers = { 'causal-context': `c1.${'A'.repeat(7_000)}` }
  const { status, body: problem } = await ask('/v1/kv/proxied/a', { method: 'PUT', body, headers })
  t.equal(status, 400, 'a long context reaches the node, which refuses this one')
  t.match(problem.toString(), /SHOAL_CONTEXT/)
}

async function insideStaysInside(t, ask) {
  t.equal((await ask('/metrics')).status, 404, 'metrics are for the inside')
  const headers = { connection: 'upgrade', upgrade: 'shoal-peer/1' }
  t.not((await ask('/', { headers })).status, 101, 'peers do not pass')
}

/** Reads never fail; writes may, until the proxy knows that the node is gone. */
async function aLostNodeIsPassedBy(t, ask, cluster) {
  await cluster.order('n2', 'kill')
  const reads = await Promise.all(Array.from({ length: 60 }, () => ask('/v1/kv/proxied/a%2Fb')))
  t.same([...new Set(reads.map(({ status }) => status))], [200], 'every read is served')
  const put = async () => (await ask('/v1/kv/proxied/after', { method: 'PUT', body: 'x' })).status
  await until('writes go through', async () => {
    const statuses = await Promise.all(Array.from({ length: 12 }, put))
    return statuses.every((status) => status === 204)
  })
  t.pass('and every write, in a while')
}

const TIMEOUT_MS = 20_000

/** The path as it is: fetch would tidy it. */
function askAt(port, path, { method = 'GET', headers = {}, body } = {}) {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', servername: 'localhost', port, path, method, agent: false }
    const all = { host: `localhost:${port}`, ...headers }
    const out = request({ ...options, headers: all, rejectUnauthorized: false }, (answer) => {
      const parts = []
      answer.on('data', (part) => parts.push(part))
      answer.on('error', reject)
      answer.on('end', () => {
        const { statusCode: status, headers } = answer
        resolve({ status, headers, body: Buffer.concat(parts) })
      })
    })
    out.setTimeout(TIMEOUT_MS, () => out.destroy(new Error(`no answer to ${method} ${path}`)))
    out.on('error', reject)
    out.on('upgrade', ({ statusCode }, socket) => {
      socket.destroy()
      resolve({ status: statusCode, headers: {}, body: Buffer.alloc(0) })
    })
    out.end(body)
  })
}

async function freePort() {
  const server = createServer()
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address()
  await new Promise((resolve) => server.close(resolve))
  return port
}
