/** Who comes in: the table of routes, tokens, scopes, buckets, rates, and what is told of it. */
import { randomBytes } from 'node:crypto'
import { createSystemEnv, ShoalError } from '@shoal/kernel'
import t from 'tap'
import { AuditTrail } from '../../src/security/audit.ts'
import { TokenGate } from '../../src/security/gate.ts'
import type { Access, RouteAccess, Scope } from '../../src/security/scopes.ts'
import { digestOf, makeToken, type TokenRecord } from '../../src/security/token.ts'
import { type Face, openFace } from './doubles.ts'
import { type Answer, type Call, call, jsonOf, problemOf } from './talk.ts'

const env = createSystemEnv((reason) => {
  throw reason
})

interface Holder {
  readonly token: string
  readonly record: TokenRecord
}

function holder(parts: Partial<TokenRecord> & { scopes: readonly Scope[] }): Holder {
  const { id, token } = makeToken({ id: randomBytes(5), secret: randomBytes(32) })
  const standard = { name: 'test', buckets: ['*'], expires: undefined, rate: undefined }
  return { token, record: { id, digest: digestOf(token), ...standard, ...parts } }
}

class AuditLines {
  readonly lines: { event: string; details: object }[] = []
  readonly trail = new AuditTrail(env, {
    write: (event, details) => void this.lines.push({ event, details }),
  })
}

const patient = { rate: 1_000, burst: 1_000 }

async function openGuarded(holders: readonly Holder[], wrong?: typeof patient) {
  const tokens = holders.map(({ record }) => record)
  const gate = new TokenGate({ env, tokens, rate: 0, ...(wrong && { wrong }) })
  const audit = new AuditLines()
  const face = await openFace({ gate, audit: audit.trail })
  return { face, gate, audit }
}

const as = (token: string, more: Call = {}): Call => ({
  ...more,
  headers: { authorization: `Bearer ${token}`, ...more.headers },
})

/** A request that its route takes as far as its handler, with another bucket than `carts`. */
function sample({ method, url }: RouteAccess): { method: string; path: string; call: Call } {
  const filled = url.replace(':bucket', 'carts').replace(/:\w+/g, '42').replace(/\*$/, 'x')
  // An answer that has an end.
  const path = url === '/v1/events' ? `${filled}?topics=none` : filled
  const json = { headers: { 'content-type': 'application/json' }, body: '{}' }
  return { method, path, call: method === 'POST' || method === 'PUT' ? json : {} }
}

const methodsAsked = new Set(['GET', 'HEAD', 'PUT', 'POST', 'DELETE'])
const asked = (face: Face): RouteAccess[] =>
  face.app.access.filter(({ method }) => methodsAsked.has(method))

t.test('every route says what it asks for', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  const forgotten = face.app.access.filter(({ access }) => access === undefined)
  t.same(forgotten, [], 'each has config.access: open, token, read, write or admin')
  const open = [
    ...new Set(
      asked(face)
        .filter(({ access }) => access === 'open')
        .map(({ url }) => url),
    ),
  ]
  t.same(
    open.filter((url) => !url.startsWith('/docs') && !url.startsWith('/ui')),
    ['/livez', '/readyz', '/openapi.json'],
    'what a stranger may see is decided here, not in passing',
  )
  const changing = asked(face).filter(({ method }) => !['GET', 'HEAD'].includes(method))
  t.same(
    changing.filter(({ access }) => access === 'read' || access === 'open'),
    [],
    'nothing is changed with the right to read',
  )
})

t.test('each route lets in exactly the scope that it declares', async (t) => {
  const holders = {
    read: holder({ scopes: ['read'] }),
    write: holder({ scopes: ['write'] }),
    admin: holder({ scopes: ['admin'] }),
  }
  const { face } = await openGuarded(Object.values(holders), patient)
  t.teardown(() => face.app.close())
  for (const route of asked(face)) {
    const { method, path, call: more } = sample(route)
    const access: Access = route.access ?? 'admin'
    const none = await call(face, method, path, more)
    const name = `${method} ${path} (${access})`
    t.equal(none.status === 401, access !== 'open', `${name} without a token`)
    if (none.status === 401) t.equal(none.headers['www-authenticate'], 'Bearer realm="shoal"')
    if (access === 'open') continue
    for (const [scope, { token }] of Object.entries(holders)) {
      const { status } = await call(face, method, path, as(token, more))
      const fits = access === 'token' || access === scope
      t.equal(status === 403, !fits, `${name} with ${scope}: ${status}`)
      t.not(status, 401)
    }
  }
})

t.test('a token for some buckets reaches no other, by any route that names one', async (t) => {
  const some = holder({ scopes: ['read', 'write', 'admin'], buckets: ['mine', 'shop-*'] })
  const { face } = await openGuarded([some])
  t.teardown(() => face.app.close())
  for (const route of asked(face).filter(({ url }) => url.includes(':bucket'))) {
    const { method, path, call: more } = sample(route)
    const other = await call(face, method, path, as(some.token, more))
    t.equal(other.status, 403, `${method} ${path}`)
    for (const bucket of ['mine', 'shop-1']) {
      const own = await call(face, method, path.replace('carts', bucket), as(some.token, more))
      t.not(own.status, 403, `${method} ${bucket}`)
    }
    const near = await call(face, method, path.replace('carts', 'mine2'), as(some.token, more))
    t.equal(near.status, 403, 'a name is not a beginning')
  }
  t.same(
    face.keyValue.written.map(({ bucket }) => bucket).filter((name) => name === 'carts'),
    [],
  )
})

t.test('what touches all buckets is not for a token for some', async (t) => {
  const some = holder({ scopes: ['read', 'write', 'admin'], buckets: ['mine', 'shop-*'] })
  const all = holder({ scopes: ['admin'] })
  const { face } = await openGuarded([some, all])
  t.teardown(() => face.app.close())
  const routes = asked(face).filter(({ access, url }) => access === 'admin' && !/:bucket/.test(url))
  t.ok(routes.length > 0)
  for (const route of routes) {
    const { method, path, call: more } = sample(route)
    t.equal((await call(face, method, path, as(some.token, more))).status, 403, path)
    t.not((await call(face, method, path, as(all.token, more))).status, 403, path)
  }
})

t.test('a batch is judged item by item', async (t) => {
  const reader = holder({ scopes: ['read'], buckets: ['mine'] })
  const { face } = await openGuarded([reader])
  t.teardown(() => face.app.close())
  const operations = [
    { op: 'get', bucket: 'mine', key: '1' },
    { op: 'get', bucket: 'carts', key: '1' },
    { op: 'put', bucket: 'mine', key: '1', value: 'x' },
    { op: 'delete', bucket: 'mine', key: '1' },
  ]
  const headers = { 'content-type': 'application/json' }
  const body = JSON.stringify({ operations })
  const answer = await call(face, 'POST', '/v1/batch', as(reader.token, { headers, body }))
  const { results } = jsonOf<{ results: { status: number }[] }>(answer)
  t.same(
    results.map(({ status }) => status),
    [404, 403, 403, 403],
  )
  t.same(face.keyValue.written, [])
})

t.test('lists of buckets and traces show what the token is for', async (t) => {
  const some = holder({ scopes: ['read'], buckets: ['mine'] })
  const { face } = await openGuarded([some])
  t.teardown(() => face.app.close())
  await face.buckets.put('mine', face.buckets.defaults)
  await face.buckets.put('carts', face.buckets.defaults)
  const list = await call(face, 'GET', '/v1/buckets', as(some.token))
  t.same(
    jsonOf<{ buckets: { name: string }[] }>(list).buckets.map(({ name }) => name),
    ['mine'],
  )
  for (const bucket of ['mine', 'carts']) {
    const about = { node: 'n1', operation: 'get', key: '1', started: 0, events: [], replicas: [] }
    face.keyValue.traces.set(bucket, { id: bucket, bucket, ...about } as never)
  }
  t.equal((await call(face, 'GET', '/v1/traces/mine', as(some.token))).status, 200)
  t.equal((await call(face, 'GET', '/v1/traces/carts', as(some.token))).status, 403)
})

t.test('what is not a token of the cluster gets 401, whatever it looks like', async (t) => {
  const right = holder({ scopes: ['read'] })
  const expired = holder({ scopes: ['read'], expires: Date.now() - 1 })
  const { face } = await openGuarded([right, expired])
  t.teardown(() => face.app.close())
  const changed = `${right.token.slice(0, -2)}${right.token.endsWith('AA') ? 'BB' : 'AA'}`
  const cells: (string | undefined)[] = [
    undefined,
    '',
    'Bearer',
    'Bearer ',
    right.token,
    `Basic ${right.token}`,
    `Bearer ${right.token} more`,
    `Bearer ${right.token.slice(0, -1)}`,
    `Bearer ${right.token}A`,
    `Bearer ${changed}`,
    `Bearer ${right.token.toUpperCase()}`,
    `Bearer shoal_${right.record.id}_${'A'.repeat(43)}`,
    `Bearer ${right.record.digest.toString('hex')}`,
    `Bearer ${expired.token}`,
    `Bearer ${'x'.repeat(20_000)}`,
    'Bearer __proto__',
  ]
  for (const authorization of cells) {
    const headers = authorization === undefined ? {} : { authorization }
    const answer = await call(face, 'GET', '/v1/kv/carts/42', { headers })
    const name = String(authorization).slice(0, 60)
    t.equal(answer.status, 401, name)
    t.equal(problemOf(answer).code, 'SHOAL_UNAUTHENTICATED', name)
    if (authorization && authorization.length > 20) {
      t.notMatch(answer.body.toString(), authorization.slice(7), 'and is not quoted')
    }
  }
  t.equal((await call(face, 'GET', '/v1/kv/carts/42', as(right.token))).status, 404)
  const spelled = { headers: { authorization: `bearer  ${right.token}` } }
  t.equal((await call(face, 'GET', '/v1/kv/carts/42', spelled)).status, 404, 'any case, any spaces')
})

t.test('tokens are replaced while requests go on', async (t) => {
  const [first, second] = [holder({ scopes: ['read'] }), holder({ scopes: ['read'] })]
  const { face, gate } = await openGuarded([first])
  t.teardown(() => face.app.close())
  const status = async ({ token }: Holder) =>
    (await call(face, 'GET', '/v1/ring', as(token))).status
  t.same([await status(first), await status(second)], [200, 401])
  gate.replace([second.record])
  t.same([await status(first), await status(second)], [401, 200])
})

t.test('guessing gets 429 soon, and locks nobody out who has a token', async (t) => {
  const right = holder({ scopes: ['read'] })
  const { face } = await openGuarded([right])
  t.teardown(() => face.app.close())
  const statuses: number[] = []
  for (let guess = 0; guess < 40; guess++) {
    const wrong = `shoal_${right.record.id}_${randomBytes(32).toString('base64url')}`
    const answer = await call(face, 'GET', '/v1/ring', as(wrong))
    statuses.push(answer.status)
    if (answer.status !== 429) continue
    t.ok(Number(answer.headers['retry-after']) >= 1)
    t.match(problemOf(answer), {
      code: 'SHOAL_RATE_LIMITED',
      retry: 'after',
      outcome: 'not-applied',
    })
  }
  t.ok(statuses.filter((status) => status === 401).length <= 25, String(statuses))
  t.ok(statuses.includes(429))
  t.equal((await call(face, 'GET', '/v1/ring', as(right.token))).status, 200)
})

t.test('a rate holds for each token, or for each address where none are asked for', async (t) => {
  const [busy, calm] = [holder({ scopes: ['read'], rate: 5 }), holder({ scopes: ['read'] })]
  const { face } = await openGuarded([busy, calm])
  t.teardown(() => face.app.close())
  const get = (more: Call) => call(face, 'GET', '/v1/kv/carts/42', more)
  const some = async (more: Call): Promise<Answer[]> =>
    Promise.all(Array.from({ length: 12 }, () => get(more)))
  const busyStatuses = (await some(as(busy.token))).map(({ status }) => status)
  t.ok(busyStatuses.filter((status) => status === 404).length >= 5)
  t.ok(busyStatuses.includes(429))
  t.notOk((await some(as(calm.token))).some(({ status }) => status === 429))

  const open = await openFace({ gate: new TokenGate({ env, tokens: undefined, rate: 5 }) })
  t.teardown(() => open.app.close())
  const answers = await Promise.all(
    Array.from({ length: 12 }, () => call(open, 'GET', '/v1/kv/carts/42')),
  )
  t.ok(answers.some(({ status }) => status === 429))
  t.equal((await call(open, 'GET', '/livez')).status, 200, 'probes are not counted')
})

t.test('the items of a batch count as requests do', async (t) => {
  const busy = holder({ scopes: ['read'], rate: 10 })
  const { face } = await openGuarded([busy])
  t.teardown(() => face.app.close())
  const operations = Array.from({ length: 40 }, (_, key) => ({
    op: 'get',
    bucket: 'b',
    key: `${key}`,
  }))
  const headers = { 'content-type': 'application/json' }
  const body = JSON.stringify({ operations })
  const answer = await call(face, 'POST', '/v1/batch', as(busy.token, { headers, body }))
  const { results } = jsonOf<{ results: { status: number; retryAfter?: number }[] }>(answer)
  const limited = results.filter(({ status }) => status === 429)
  t.ok(limited.length >= 25 && limited.length <= 30, String(limited.length))
  t.ok(limited.every(({ retryAfter = 0 }) => retryAfter >= 1))
})

t.test('the audit log has administrative calls and refusals, and no token', async (t) => {
  const [admin, reader] = [holder({ scopes: ['admin'] }), holder({ scopes: ['read'] })]
  const { face, audit } = await openGuarded([admin, reader])
  t.teardown(() => face.app.close())
  const headers = { 'content-type': 'application/json' }
  const put = (token: string, body: string) =>
    call(face, 'PUT', '/v1/buckets/carts?', as(token, { headers, body }))
  t.equal((await put(admin.token, '{"ttl":5}')).status, 204)
  t.equal((await put(admin.token, '{"ttl":"x"}')).status, 400)
  t.equal((await put(reader.token, '{}')).status, 403)
  await call(face, 'GET', '/v1/ring', as('shoal_wrong'))
  await call(face, 'GET', '/v1/ring', as(reader.token))
  const name = `test (${admin.record.id})`
  t.match(audit.lines, [
    {
      event: 'admin',
      details: { by: name, method: 'PUT', path: '/v1/buckets/carts', status: 204 },
    },
    { event: 'admin', details: { by: name, status: 400 } },
    { event: 'admin', details: { by: 'anyone', status: 403, address: /127\.0\.0\.1/ } },
    { event: 'refused', details: { by: 'anyone', path: '/v1/ring', status: 401 } },
  ])
  t.equal(audit.lines.length, 4, 'and nothing of what is neither')
  const text = JSON.stringify([audit.lines, face.log.lines])
  for (const { token } of [admin, reader]) t.notOk(text.includes(token.slice(15)))
  t.notOk(text.includes('shoal_wrong'))
})

t.test('without tokens administrative calls are still in the log', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  t.equal((await call(face, 'DELETE', '/v1/buckets/carts')).status, 204)
  t.match(face.log.lines, [
    { level: 'info', message: 'audit', details: { audit: 'admin', by: 'anyone', status: 204 } },
  ])
})

t.test('a page of another site does not look after a cluster without tokens', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  const from = (site: string) => ({ headers: { 'sec-fetch-site': site } })
  const sync = (site: string) => call(face, 'POST', '/v1/hints/sync', from(site))
  t.equal((await sync('cross-site')).status, 403)
  t.equal((await sync('same-site')).status, 403, 'nor one on another port')
  t.equal((await sync('same-origin')).status, 202, 'the console does')
})

t.test('strangers cannot fill the audit log', async (t) => {
  const { face, audit } = await openGuarded([holder({ scopes: ['read'] })])
  t.teardown(() => face.app.close())
  for (let at = 0; at < 60; at++) audit.trail.recordSometimes('refused', { at })
  t.ok(audit.lines.length <= 21, String(audit.lines.length))
})

t.test('a refusal is an error of the catalogue', async (t) => {
  const gate = new TokenGate({ env, tokens: [], rate: 0 })
  const refusal = gate.admit({ authorization: undefined, address: '::1' }, 'read')
  t.ok(refusal instanceof ShoalError && refusal.code === 'SHOAL_UNAUTHENTICATED')
})
