import { ShoalError } from '@shoal/kernel'
import t from 'tap'
import { openFace } from './doubles.ts'
import { call, jsonOf, problemOf } from './talk.ts'

const json = { 'Content-Type': 'application/json' }
const path = '/v1/buckets/carts'
const defaults = {
  n: 3,
  consistency: 'quorum',
  conflicts: 'siblings',
  blindWrites: 'overwrite',
  ttl: 0,
  maxSiblings: 50,
  mode: 'leaderless',
}

t.test('properties are set as a whole, read back, listed and dropped', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  t.same(jsonOf(await call(face, 'GET', path)), defaults, 'nobody set any')
  const given = {
    consistency: 'quorum;r=1;strict',
    conflicts: 'lww',
    ttl: 60,
    durability: 'memory',
  }
  const put = await call(face, 'PUT', path, { headers: json, body: JSON.stringify(given) })
  t.equal(put.status, 204)
  const own = { ...defaults, ...given }
  const read = await call(face, 'GET', path)
  t.same(jsonOf(read), own)
  t.equal(
    (await call(face, 'PUT', path, { headers: json, body: read.body })).status,
    204,
    'as read',
  )
  t.same(jsonOf(await call(face, 'GET', path)), own)
  t.same(jsonOf(await call(face, 'GET', '/v1/buckets')), { buckets: [{ name: 'carts', ...own }] })
  await call(face, 'PUT', path, { headers: json, body: '{"maxSiblings":5}' })
  t.same(jsonOf(await call(face, 'GET', path)), { ...defaults, maxSiblings: 5 }, 'absent: default')
  t.equal((await call(face, 'DELETE', path)).status, 204)
  t.equal((await call(face, 'DELETE', path)).status, 204)
  t.same(jsonOf(await call(face, 'GET', path)), defaults)
})

t.test('every wrong property is refused by name', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  const invalid = 'SHOAL_BODY_INVALID'
  const cells: [string, string, string | undefined, RegExp][] = [
    ['', invalid, 'body', /./],
    ['{', invalid, 'body', /JSON|property/],
    ['\xff', invalid, 'body', /./],
    ['[]', invalid, 'body', /object/],
    ['null', invalid, 'body', /object/],
    ['{"n":0}', invalid, 'n', />= 1/],
    ['{"n":8}', invalid, 'n', /<= 7/],
    ['{"n":4}', invalid, 'n', /ring holds 3/],
    ['{"n":"3"}', invalid, 'n', /integer/],
    ['{"n":1.5}', invalid, 'n', /integer/],
    ['{"consistency":"most"}', 'SHOAL_CONSISTENCY_INVALID', 'consistency', /one, quorum, all/],
    ['{"consistency":5}', invalid, 'consistency', /string/],
    ['{"n":1,"consistency":"quorum;r=2"}', invalid, 'consistency', /at most n/],
    ['{"consistency":"one;durable=2"}', invalid, 'consistency', /at most w/],
    ['{"conflicts":"latest"}', invalid, 'conflicts', /siblings, lww/],
    ['{"blindWrites":"x"}', invalid, 'blindWrites', /overwrite, sibling, reject/],
    ['{"ttl":-1}', invalid, 'ttl', />= 0/],
    ['{"maxSiblings":0}', invalid, 'maxSiblings', />= 1/],
    ['{"maxSiblings":51}', invalid, 'maxSiblings', /<= 50/],
    ['{"durability":null}', invalid, 'durability', /fsync, memory/],
    ['{"mode":"linearizable"}', invalid, 'mode', /leaderless/],
    ['{"conflict":"lww"}', invalid, 'conflict', /did you mean conflicts/],
    ['{"zzz":1}', invalid, 'zzz', /unknown/],
  ]
  for (const [body, code, field, message] of cells) {
    const answer = await call(face, 'PUT', path, {
      headers: json,
      body: Buffer.from(body, 'latin1'),
    })
    t.equal(answer.status, 400, body)
    t.match(problemOf(answer), { code, errors: [{ field, message }] }, body)
  }
  t.same(await face.buckets.all(), [])
})

t.test('a body of another kind, or too large, is refused', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  const cells: [Record<string, string>, string, number][] = [
    [{ 'Content-Type': 'text/plain' }, '{}', 415],
    [{ 'Content-Type': 'not a type' }, '{}', 415],
    [{}, '{}', 415],
    [json, ' '.repeat(65_537), 413],
  ]
  for (const [headers, body, status] of cells) {
    const answer = await call(face, 'PUT', path, { headers, body })
    t.equal(answer.status, status, JSON.stringify(headers))
    t.equal(answer.headers['content-type'], 'application/problem+json')
  }
  const type = { 'Content-Type': 'application/json; charset=utf-8' }
  t.equal((await call(face, 'PUT', path, { headers: type, body: '{}' })).status, 204)
})

t.test('names of the system are forbidden, others malformed', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  for (const method of ['GET', 'PUT', 'DELETE']) {
    const body = method === 'PUT' ? { headers: json, body: '{}' } : {}
    t.equal((await call(face, method, '/v1/buckets/_shoal', body)).status, 403, method)
    t.equal((await call(face, method, '/v1/buckets/%5Fshoal', body)).status, 403, method)
    t.equal((await call(face, method, '/v1/buckets/..', body)).status, 400, method)
    t.equal((await call(face, method, `/v1/buckets/${'b'.repeat(129)}`, body)).status, 400, method)
  }
})

t.test('n changes only while the bucket is empty, by PUT or by DELETE', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  const setN = (n: number) =>
    call(face, 'PUT', path, { headers: json, body: JSON.stringify({ n }) })
  t.equal((await setN(1)).status, 204)
  await call(face, 'PUT', '/v1/kv/carts/1', { body: 'x' })
  const refused = await setN(2)
  t.equal(refused.status, 409)
  t.match(problemOf(refused), { code: 'SHOAL_BUCKET_NOT_EMPTY', wanted: 2, got: 1 })
  t.equal((await setN(1)).status, 204, 'the same n is no change')
  t.equal((await call(face, 'DELETE', path)).status, 409, 'the default is another n')
  await call(face, 'DELETE', '/v1/kv/carts/1')
  t.equal((await setN(2)).status, 204)
  t.match(face.keyValue.lists.at(-1), { bucket: 'carts', limit: 1, consistency: { level: 'all' } })
})

t.test('a failing store is told as for keys', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  face.buckets.get = async () => {
    throw new ShoalError('SHOAL_QUORUM_UNREACHABLE', 'none')
  }
  const answer = await call(face, 'GET', path)
  t.equal(answer.status, 503)
  t.equal(answer.headers['retry-after'], '1')
  face.buckets.get = () => Promise.reject(new TypeError('oops'))
  t.equal((await call(face, 'GET', path)).status, 500)
})
