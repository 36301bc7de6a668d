import { ShoalError } from '@shoal/kernel'
import t from 'tap'
import { openFace } from './doubles.ts'
import { call, jsonOf, problemOf } from './talk.ts'

t.test('state is shown as the node has it', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  const { cluster } = face
  t.same(jsonOf(await call(face, 'GET', '/v1/cluster')), cluster.cluster())
  t.same(jsonOf(await call(face, 'GET', '/v1/ring')), cluster.ring())
  t.same(jsonOf(await call(face, 'GET', '/v1/nodes')), await cluster.nodes())
  for (const target of [
    '/v1/cluster',
    '/v1/ring',
    '/v1/nodes',
    '/livez',
    '/readyz',
    '/healthz',
    '/metrics',
  ]) {
    const get = await call(face, 'GET', target)
    t.match(get.headers, {
      'request-id': String,
      'server-timing': String,
      'cache-control': 'no-store',
    })
    const head = await call(face, 'HEAD', target)
    t.equal(head.status, 200, `HEAD ${target}`)
    t.equal(head.body.length, 0)
    const strict = await call(face, 'GET', `${target}?x=1`)
    t.equal(problemOf(strict).code, 'SHOAL_QUERY_INVALID', target)
  }
})

t.test('explain and traces', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  const explained = await call(face, 'GET', '/v1/explain/b/a%2Fb', {
    headers: { 'Shoal-Timeout': '100' },
  })
  t.match(jsonOf(explained), { token: '00000000000000ff', holders: [{ state: 'absent' }] })
  t.equal((await call(face, 'GET', '/v1/explain/_b/k')).status, 403)
  t.equal((await call(face, 'GET', '/v1/explain/b/%ff')).status, 400)
  t.equal((await call(face, 'GET', `/v1/explain/b/${'k'.repeat(1_025)}`)).status, 414)
  t.equal(
    (await call(face, 'GET', '/v1/explain/b/k', { headers: { 'Shoal-Timeout': 'x' } })).status,
    400,
  )
  const missing = await call(face, 'GET', '/v1/traces/none')
  t.equal(missing.status, 404)
  t.equal(problemOf(missing).code, 'SHOAL_TRACE_NOT_FOUND')
  t.equal((await call(face, 'GET', `/v1/traces/${'x'.repeat(65)}`)).status, 400)
  t.equal((await call(face, 'GET', '/v1/traces/')).status, 400)
})

t.test('alive, ready, healthy', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  t.same(jsonOf(await call(face, 'GET', '/livez')), { status: 'live' })
  t.same(jsonOf(await call(face, 'GET', '/readyz')), { status: 'ready' })
  t.match(jsonOf(await call(face, 'GET', '/healthz')), {
    status: 'healthy',
    verdict: 'healthy: can lose 1 node',
  })
  face.cluster.unready = new ShoalError('SHOAL_STORAGE_FULL', 'no space left')
  const unready = await call(face, 'GET', '/readyz')
  t.equal(unready.status, 503)
  t.match(problemOf(unready), { code: 'SHOAL_STORAGE_FULL', detail: 'no space left' })
  face.cluster.unavailable = true
  const sick = await call(face, 'GET', '/healthz')
  t.equal(sick.status, 503)
  t.match(problemOf(sick), { detail: /2 of 3 nodes are down/, wanted: 3, got: 1 })
})

t.test('metrics: what was done, how long it took, what is open', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  await call(face, 'PUT', '/v1/kv/b/k', { body: 'x' })
  await call(face, 'GET', '/v1/kv/b/k')
  await call(face, 'GET', '/v1/kv/b/none')
  await call(face, 'GET', '/v1/kv/b/k?x')
  await call(face, 'GET', '/nowhere')
  const body = '{"operations":[{"op":"get","bucket":"b","key":"k"}]}'
  await call(face, 'POST', '/v1/batch', { headers: { 'Content-Type': 'application/json' }, body })
  const answer = await call(face, 'GET', '/metrics')
  t.match(answer.headers['content-type'], /^text\/plain; version=0\.0\.4/)
  const text = answer.body.toString()
  const lines = [
    'shoal_http_requests_total{operation="put",status="204"} 1',
    'shoal_http_requests_total{operation="get",status="200"} 1',
    'shoal_http_requests_total{operation="get",status="404"} 1',
    'shoal_http_requests_total{operation="get",status="400"} 1',
    'shoal_http_requests_total{operation="other",status="404"} 1',
    'shoal_http_requests_total{operation="batch",status="200"} 1',
    'shoal_http_batch_operations_total{status="200"} 1',
    'shoal_http_request_duration_seconds_count{operation="get"} 3',
    'shoal_http_request_duration_seconds_bucket{le="+Inf",operation="get"} 3',
    'shoal_http_requests_in_flight 1',
    'shoal_http_body_bytes_in_flight 0',
    'shoal_http_batches_in_flight 0',
  ]
  for (const line of lines) t.ok(text.includes(`${line}\n`), line)
  t.match(text, /^process_cpu_seconds_total /m, 'those of the process too')
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue
    t.match(line, /^[a-z_:][a-z0-9_:]*(\{([a-z_]+="[^"\n]*",?)+\})? \S+$/i)
  }
})

t.test('repairs: how copies are, a job for a range, the budget held and let go', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  t.match(jsonOf(await call(face, 'GET', '/v1/repairs')), { lostPartitions: [3], tombstones: 5 })
  t.match(jsonOf(await call(face, 'GET', '/v1/repairs?scope=cluster')), { silent: ['n3'] })
  const moon = await call(face, 'GET', '/v1/repairs?scope=moon')
  t.equal(problemOf(moon).code, 'SHOAL_QUERY_INVALID')
  const begun = await call(face, 'POST', '/v1/repairs?partition=2&bucket=carts')
  t.equal(begun.status, 202)
  t.match(String(begun.headers.location), /^\/v1\/jobs\//)
  t.match(jsonOf(await call(face, 'GET', String(begun.headers.location))), { kind: 'repair' })
  for (const query of ['partition=x', 'partition=-1', 'partition=99999', 'bucket=%2F']) {
    const wrong = await call(face, 'POST', `/v1/repairs?${query}`)
    t.match(jsonOf(wrong), { code: 'SHOAL_QUERY_INVALID' }, query)
  }
  t.match(jsonOf(await call(face, 'POST', '/v1/repairs/pause')), { budget: { paused: true } })
  t.match(jsonOf(await call(face, 'POST', '/v1/repairs/resume')), { budget: { paused: false } })
  t.notMatch(jsonOf(await call(face, 'GET', '/v1/explain/b/k')), { proofs: [] })
  t.match(jsonOf(await call(face, 'GET', '/v1/explain/b/k?proof=1')), {
    proofs: [{ node: 'n1', verdict: 'proven' }],
  })
})

t.test('hints, and a job that waits for them', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  const own = jsonOf(await call(face, 'GET', '/v1/hints'))
  t.match(own, { total: 1, targets: [{ node: 'n2', count: 1 }] })
  t.notMatch(own, { silent: [] })
  t.same(jsonOf(await call(face, 'GET', '/v1/hints?scope=node')), own)
  t.match(jsonOf(await call(face, 'GET', '/v1/hints?scope=cluster')), { silent: ['n3'] })
  const wrong = await call(face, 'GET', '/v1/hints?scope=moon')
  t.equal(problemOf(wrong).code, 'SHOAL_QUERY_INVALID')

  const begun = await call(face, 'POST', '/v1/hints/sync')
  t.equal(begun.status, 202)
  t.match(jsonOf(begun), { kind: 'hint-sync', state: 'running', progress: 0.5 })
  const job = await call(face, 'GET', String(begun.headers.location))
  t.same(jsonOf(job), jsonOf(begun))
  t.equal(problemOf(await call(face, 'GET', '/v1/jobs/none')).code, 'SHOAL_JOB_NOT_FOUND')
})
