/** One value through every method, header and form, on a cluster with more nodes than copies. */
import t, { type Test } from 'tap'
import { putBuckets } from './support/buckets.ts'
import { type Answer, kv } from './support/http.ts'
import { explanationOf, receiptOf, type Sibling, textsOf, valuesOf } from './support/kv-answers.ts'
import { parseMultipart } from './support/multipart.ts'
import type { NodeProcess } from './support/node-process.ts'
import { checkProblem } from './support/problems.ts'
import { parseMetrics, sumOf } from './support/prometheus.ts'
import { RealCluster } from './support/real-cluster.ts'
import { until } from './support/until.ts'

t.setTimeout(180_000)

const cluster = await RealCluster.start(t, { nodes: 4 })
const { nodes } = cluster
const [n1, n2, n3, n4] = nodes as [NodeProcess, NodeProcess, NodeProcess, NodeProcess]
await putBuckets(nodes, {
  crowded: { maxSiblings: 3 },
  retried: { blindWrites: 'sibling' },
  open: {},
  careful: { blindWrites: 'sibling' },
  strict: { blindWrites: 'reject' },
  last: { conflicts: 'lww' },
  brief: { ttl: 1 },
})

const receiptForm = new RegExp(
  '^n=\\d, need=\\d, ack=\\d, primaries=\\d, fallbacks=\\d(, durable=\\d)?, hinted=\\d+, ' +
    'repaired=\\d, epoch=\\d+, node="n\\d"(, precondition=checked)?$',
)

/** The header lines that stand on every answer about a key. */
function checkKeyHeaders(t: Test, answer: Answer, { exists = true } = {}): void {
  const faults: string[] = []
  const expected: Record<string, RegExp> = {
    'Causal-Context': /^c1\.[\w-]+$/,
    Consistency: /^(one|quorum|all);r=\d;w=\d;durable=\d(;strict)?$/,
    Receipt: receiptForm,
    'Request-Id': /^\S+$/,
    'Server-Timing': /^total;dur=\d+(\.\d+)?$/,
    'Cache-Control': /^no-store$/,
    ...(exists ? { ETag: /^"[^"]+"$/, 'Last-Modified': / GMT$/ } : {}),
  }
  for (const [name, form] of Object.entries(expected)) {
    if (!form.test(answer.header(name))) faults.push(`${name}: ${answer.header(name)}`)
    const asWritten = answer.rawHeaders.filter((_, at) => at % 2 === 0)
    if (!asWritten.includes(name)) faults.push(`${name} is not written so`)
  }
  if (!exists && answer.header('ETag') !== '') faults.push('an ETag without a value')
  if (!exists && answer.header('Last-Modified') !== '') faults.push('a time without a value')
  t.same(faults, [], `${answer.status} has every header of a key`)
}

/** Makes siblings: writes that all carry the context of a key that was never written. */
async function writeSiblings(path: string, texts: readonly string[]): Promise<void> {
  const context = (await n1.ask(path)).header('Causal-Context')
  for (const body of texts) {
    await n1.ask(path, {
      method: 'PUT',
      body,
      headers: { 'Causal-Context': context, 'Content-Type': 'text/plain' },
    })
  }
}

t.test('every method through every node, replica of the key or not', async (t) => {
  const path = kv('values', 'methods')
  const { preferenceList } = explanationOf(await n1.ask('/v1/explain/values/methods'))
  t.equal(preferenceList.length, 3, 'three of the four nodes hold the key')
  const missing = await n1.ask(path)
  checkProblem(t, missing, { status: 404, code: 'SHOAL_KEY_NOT_FOUND' }, 'before the first write')
  checkKeyHeaders(t, missing, { exists: false })

  const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
  for (const node of nodes) {
    const put = await node.ask(path, {
      method: 'PUT',
      body: bytes,
      headers: { 'Content-Type': 'image/x-Odd; a="b;c"' },
    })
    t.equal(put.status, 204, `PUT through ${node.id}`)
    t.equal(put.text, '')
    checkKeyHeaders(t, put)
    const coordinator = String(receiptOf(put).node)
    t.ok(preferenceList.includes(coordinator), 'a replica coordinates the write')
    if (preferenceList.includes(node.id)) t.equal(coordinator, node.id, 'this one, if it is one')

    const get = await node.ask(path)
    t.equal(get.status, 200)
    t.same(get.body, bytes, 'the bytes come back')
    t.equal(get.header('Content-Type'), 'image/x-Odd; a="b;c"', 'and the type exactly as sent')
    t.equal(get.header('ETag'), put.header('ETag'))
    t.equal(get.header('Last-Modified'), put.header('Last-Modified'))
    checkKeyHeaders(t, get)
    t.equal(receiptOf(get).durable, undefined, 'a read says nothing of disks')

    const head = await node.ask(path, { method: 'HEAD' })
    t.equal(head.status, 200)
    t.equal(head.body.length, 0)
    t.equal(head.header('Content-Length'), '256')
    t.equal(head.header('Content-Type'), get.header('Content-Type'))
    t.equal(head.header('ETag'), get.header('ETag'))
    checkKeyHeaders(t, head)

    const gone = await node.ask(path, {
      method: 'DELETE',
      headers: { 'Causal-Context': get.header('Causal-Context') },
    })
    t.equal(gone.status, 204, `DELETE through ${node.id}`)
    checkKeyHeaders(t, gone, { exists: false })
    const after = await node.ask(path)
    checkProblem(t, after, { status: 404, code: 'SHOAL_KEY_NOT_FOUND' }, 'after it')
    checkKeyHeaders(t, after, { exists: false })
    const headAfter = await node.ask(path, { method: 'HEAD' })
    t.same([headAfter.status, headAfter.body.length], [404, 0])
    checkKeyHeaders(t, headAfter, { exists: false })
  }
  const never = await n2.ask(kv('values', 'never'), { method: 'DELETE' })
  t.equal(never.status, 204, 'deleting what never was is done')
})

t.test('types and codings are kept, not acted on', async (t) => {
  const path = kv('values', 'types')
  await n1.ask(path, { method: 'PUT', body: 'x' })
  t.equal((await n2.ask(path)).header('Content-Type'), 'application/octet-stream', 'if absent')
  t.equal((await n2.ask(path)).header('Content-Encoding'), '')
  await n1.ask(path, {
    method: 'PUT',
    body: 'not really gzip',
    headers: { 'Content-Type': 'text/html', 'Content-Encoding': 'gzip' },
  })
  const answer = await n3.ask(path)
  t.equal(answer.header('Content-Encoding'), 'gzip')
  t.equal(answer.text, 'not really gzip')
  const odd = await n1.ask(path, { method: 'PUT', body: 'x', headers: { 'Content-Type': 'text' } })
  checkProblem(
    t,
    odd,
    { status: 415, code: 'SHOAL_MEDIA_TYPE_INVALID', field: 'Content-Type' },
    'a type that is none',
  )
  await n1.ask(path, { method: 'PUT', body: '' })
  const empty = await n4.ask(path)
  t.same([empty.status, empty.body.length, empty.header('Content-Length')], [200, 0, '0'])
})

t.test('the consistency asked for is echoed in full', async (t) => {
  const path = kv('values', 'levels')
  const cells: [Record<string, string>, string][] = [
    [{}, 'quorum;r=2;w=2;durable=2'],
    [{ Consistency: 'quorum' }, 'quorum;r=2;w=2;durable=2'],
    [{ Consistency: 'one' }, 'one;r=1;w=1;durable=1'],
    [{ Consistency: 'all' }, 'all;r=3;w=3;durable=3'],
    [{ Consistency: 'quorum;strict' }, 'quorum;r=2;w=2;durable=2;strict'],
    [{ Consistency: 'quorum;strict=?0' }, 'quorum;r=2;w=2;durable=2'],
    [{ Consistency: 'one;r=3' }, 'one;r=3;w=1;durable=1'],
    [{ Consistency: 'quorum;r=1;w=3;durable=1' }, 'quorum;r=1;w=3;durable=1'],
    [{ Consistency: 'quorum; r=1; w=3' }, 'quorum;r=1;w=3;durable=3'],
    [{ Consistency: 'all;durable=0' }, 'all;r=3;w=3;durable=0'],
    [{ Consistency: 'one;w=2;w=3' }, 'one;r=1;w=3;durable=3'],
    [{ 'X-Consistency': 'one' }, 'one;r=1;w=1;durable=1'],
    [{ Consistency: 'one', 'X-Consistency': 'one' }, 'one;r=1;w=1;durable=1'],
  ]
  for (const [headers, echo] of cells) {
    for (const node of [n1, n4]) {
      const put = await node.ask(path, { method: 'PUT', body: 'x', headers })
      t.equal(put.header('Consistency'), echo, `${JSON.stringify(headers)} through ${node.id}`)
      const { need, ack, durable } = receiptOf(put)
      const [, w, onDisk] = /;w=(\d);durable=(\d)/.exec(echo) ?? []
      t.equal(need, Number(w))
      t.ok(Number(ack) >= Number(w), 'so many acknowledged')
      t.ok(Number(durable) >= Number(onDisk), 'so many are on disk')
      t.equal((await node.ask(path, { headers })).header('Consistency'), echo)
    }
  }
})

t.test('siblings in every form', async (t) => {
  const path = kv('values', 'siblings')
  await writeSiblings(path, ['same', 'same', 'other'])
  const list = await n2.ask(path)
  t.equal(list.status, 300)
  t.equal(list.header('Content-Type'), 'application/json')
  t.equal(list.header('Siblings'), '3')
  checkKeyHeaders(t, list)
  t.same(textsOf(list), ['other', 'same', 'same'], 'equal bytes are still two values')
  const { siblings } = list.json() as { siblings: Sibling[] }
  for (const { etag, type, modified, size, base64 } of siblings) {
    t.match(etag, /^"[^"]+"$/)
    t.equal(type, 'text/plain')
    t.equal(new Date(modified).toISOString(), modified)
    t.equal(size, Buffer.from(base64, 'base64').length)
  }

  const named = await n3.ask(path, { headers: { Accept: 'application/vnd.shoal.siblings+json' } })
  t.equal(named.header('Content-Type'), 'application/vnd.shoal.siblings+json')
  t.same(named.json(), list.json())

  const multipart = await n4.ask(path, { headers: { Accept: 'multipart/mixed' } })
  t.equal(multipart.status, 300)
  const parts = parseMultipart(multipart)
  t.same(parts.map(({ body }) => body.toString()).sort(), ['other', 'same', 'same'])
  for (const { headers } of parts) {
    t.equal(headers['content-type'], 'text/plain')
    t.match(headers['last-modified'], / GMT$/)
    t.ok(
      siblings.some(({ etag }) => etag === headers.etag),
      'each part has its own ETag',
    )
  }

  for (const { etag, base64 } of siblings) {
    for (const tag of [etag, etag.slice(1, -1)]) {
      const one = await n1.ask(`${path}?sibling=${encodeURIComponent(tag)}`)
      t.equal(one.status, 200, `one of them by ${tag}`)
      t.equal(one.body.toString('base64'), base64)
      t.equal(one.header('ETag'), etag)
      t.equal(one.header('Causal-Context'), list.header('Causal-Context'), 'the joined context')
    }
  }
  const none = await n1.ask(`${path}?sibling=${'A'.repeat(22)}`)
  checkProblem(t, none, { status: 404, code: 'SHOAL_SIBLING_NOT_FOUND' }, 'an unknown one')

  const winners = new Set<string>()
  for (const node of nodes) {
    const one = await node.ask(path, { headers: { Prefer: 'siblings=resolve' } })
    t.equal(one.status, 200)
    t.equal(one.header('Preference-Applied'), 'siblings=resolve')
    t.equal(one.header('Siblings'), '3')
    winners.add(one.text)
  }
  t.same([...winners], ['other'], 'every node picks the newest')

  const before = (await n1.ask(kv('values', 'fresh'))).header('Causal-Context')
  const joined = { 'Causal-Context': before }
  await n1.ask(kv('values', 'fresh'), { method: 'PUT', body: '1', headers: joined })
  const second = await n1.ask(kv('values', 'fresh'), { method: 'PUT', body: '2', headers: joined })
  t.equal(second.header('Siblings'), '2', 'the write that leaves siblings says so')
  t.equal(
    second.header('ETag'),
    (await n2.ask(kv('values', 'fresh'))).header('ETag'),
    'and its ETag is that of all of them',
  )
})

t.test('a full list of siblings refuses more, and says how to end them', async (t) => {
  const path = kv('crowded', 'k')
  const context = (await n1.ask(path)).header('Causal-Context')
  const put = (body: string, headers: Record<string, string>): Promise<Answer> =>
    n1.ask(path, { method: 'PUT', body, headers })
  for (const body of ['1', '2', '3']) await put(body, { 'Causal-Context': context })
  const refused = await put('4', { 'Causal-Context': context })
  const body = checkProblem(
    t,
    refused,
    { status: 409, code: 'SHOAL_SIBLINGS_FULL', retry: 'after-read' },
    'the fourth of three',
  )
  t.equal(body.wanted, 3)
  t.match(body.context, /^c1\./)
  t.same(textsOf(await n2.ask(path)), ['1', '2', '3'], 'nothing was dropped')
  const mended = await put('all', { 'Causal-Context': body.context ?? '' })
  t.equal(mended.status, 204, 'a write with the context of the refusal')
  t.equal((await n3.ask(path)).text, 'all')
})

t.test('preconditions on reads', async (t) => {
  const path = kv('values', 'conditions')
  const etag = (await n1.ask(path, { method: 'PUT', body: 'x' })).header('ETag')
  const read = (headers: Record<string, string>, method = 'GET'): Promise<Answer> =>
    n2.ask(path, { method, headers })
  for (const tag of [etag, `W/${etag}`, '*', `"other", ${etag}`]) {
    for (const method of ['GET', 'HEAD']) {
      const answer = await read({ 'If-None-Match': tag }, method)
      t.same([answer.status, answer.body.length], [304, 0], `${method} If-None-Match: ${tag}`)
      checkKeyHeaders(t, answer)
    }
  }
  t.equal((await read({ 'If-None-Match': '"other"' })).status, 200)
  t.equal((await read({ 'If-Match': etag })).status, 200)
  for (const tag of ['"other"', `W/${etag}`]) {
    const failed = await read({ 'If-Match': tag })
    const body = checkProblem(t, failed, { status: 412, code: 'SHOAL_PRECONDITION_FAILED' }, tag)
    t.equal(body.etag, etag, 'with the current ETag')
    t.equal(body.context, failed.header('Causal-Context'), 'and context')
  }
})

t.test('preconditions on writes are checked and say so', async (t) => {
  const path = kv('values', 'checked')
  const put = (headers: Record<string, string>, node = n1): Promise<Answer> =>
    node.ask(path, { method: 'PUT', body: 'x', headers })
  const created = await put({ 'If-None-Match': '*' })
  t.equal(created.status, 204, 'creation')
  t.equal(receiptOf(created).precondition, 'checked')
  const etag = created.header('ETag')
  for (const node of nodes) {
    for (const headers of [{ 'If-None-Match': '*' }, { 'If-Match': '"other"' }]) {
      const failed = await put(headers, node)
      const about = `${JSON.stringify(headers)} through ${node.id}`
      const expected = { status: 412, code: 'SHOAL_PRECONDITION_FAILED' } as const
      const body = checkProblem(t, failed, { ...expected, retry: 'after-read' }, about)
      t.equal(body.etag, etag)
      t.match(body.context, /^c1\./)
    }
  }
  const updated = await put({ 'If-Match': etag }, n4)
  t.equal(updated.status, 204, 'with the right ETag')
  t.equal(receiptOf(updated).precondition, 'checked')
  t.not(updated.header('ETag'), etag)
  const stale = await n2.ask(path, { method: 'DELETE', headers: { 'If-Match': etag } })
  checkProblem(t, stale, { status: 412, code: 'SHOAL_PRECONDITION_FAILED' }, 'DELETE too')
  const right = { 'If-Match': updated.header('ETag') }
  t.equal((await n3.ask(path, { method: 'DELETE', headers: right })).status, 204)
  t.equal((await n1.ask(path)).status, 404)
})

t.test('a repeated write is one write', async (t) => {
  const path = kv('retried', 'k')
  const put = (key: string, body: string, at = path): Promise<Answer> =>
    n1.ask(at, { method: 'PUT', body, headers: { 'Idempotency-Key': key } })
  const first = await put('retry-1', 'x')
  const second = await put('retry-1', 'x')
  t.same([first.status, second.status], [204, 204])
  t.equal(second.header('ETag'), first.header('ETag'), 'under the same dot')
  t.equal(valuesOf(await n2.ask(path)).length, 1)
  const other = await put('retry-1', 'y')
  checkProblem(t, other, { status: 422, code: 'SHOAL_IDEMPOTENCY_KEY_REUSED' }, 'another body')
  t.same(textsOf(await n3.ask(path)), ['x'], 'which was not written')
  t.equal((await put('retry-1', 'y', kv('retried', 'other'))).status, 204, 'for another key')
  t.equal((await put('retry-2', 'x')).status, 204, 'under another idempotency key')
  t.same(textsOf(await n2.ask(path)), ['x', 'x'], 'it is another write')
})

t.test('blind writes are what the bucket says', async (t) => {
  const put = (bucket: string, body: string, headers = {}): Promise<Answer> =>
    n1.ask(kv(bucket, 'k'), { method: 'PUT', body, headers })
  await put('open', '1')
  await put('open', '2')
  t.same(textsOf(await n2.ask(kv('open', 'k'))), ['2'], 'overwrite replaces')
  await put('careful', '1')
  await put('careful', '2')
  t.same(textsOf(await n2.ask(kv('careful', 'k'))), ['1', '2'], 'sibling adds')
  const required = { status: 428, code: 'SHOAL_CONTEXT_REQUIRED', retry: 'after-read' } as const
  const blindDelete = await n1.ask(kv('careful', 'k'), { method: 'DELETE' })
  checkProblem(t, blindDelete, required, 'a blind delete would drop nothing')
  checkProblem(t, await put('strict', '1'), required, 'reject')
  const empty = (await n1.ask(kv('strict', 'k'))).header('Causal-Context')
  t.equal((await put('strict', '1', { 'Causal-Context': empty })).status, 204, 'of a 404')
  checkProblem(t, await put('strict', '2'), required, 'still')
  const creation = await n1.ask(kv('strict', 'new'), {
    method: 'PUT',
    body: 'x',
    headers: { 'If-None-Match': '*' },
  })
  t.equal(creation.status, 204, 'a checked creation is not blind')
})

async function lostWrites(): Promise<number> {
  const answers = await Promise.all(nodes.map((node) => node.ask('/metrics')))
  const counts = answers.map(({ text }) => sumOf(parseMetrics(text), 'shoal_lost_writes_total'))
  return counts.reduce((sum, count) => sum + count, 0)
}

t.test('the last writer is shown where a bucket says so', async (t) => {
  const path = kv('last', 'k')
  await writeSiblings(path, ['1', '2', '3'])
  for (const node of nodes) {
    const answer = await node.ask(path)
    t.same([answer.status, answer.text], [200, '3'], `${node.id} shows the largest stamp`)
  }
  const before = await lostWrites()
  const context = (await n1.ask(path)).header('Causal-Context')
  await n1.ask(path, { method: 'PUT', body: '4', headers: { 'Causal-Context': context } })
  t.equal((await lostWrites()) - before, 2, 'what nobody was shown is counted when it goes')
})

t.test('a session reads its writes through any node, even at one', async (t) => {
  const path = kv('values', 'session')
  let session = 'new'
  for (let round = 0; round < 8; round++) {
    const writer = nodes[round % 4] as NodeProcess
    const headers = { Consistency: 'one', 'Shoal-Session': session }
    const put = await writer.ask(path, { method: 'PUT', body: `round ${round}`, headers })
    t.equal(put.status, 204)
    session = put.header('Shoal-Session')
    t.ok(session.length > 0 && session.length <= 4_096, 'a token comes back')
    for (const node of nodes) {
      const read = await node.ask(path, {
        headers: { Consistency: 'one', 'Shoal-Session': session },
      })
      t.ok(textsOf(read).includes(`round ${round}`), `${node.id} shows round ${round}`)
      t.not(read.header('Shoal-Session'), '', 'every answer has a token')
      session = read.header('Shoal-Session')
    }
  }
  t.equal((await n1.ask(path)).header('Shoal-Session'), '', 'none without asking')
  const missing = await n1.ask(kv('values', 'session 404'), { headers: { 'Shoal-Session': 'new' } })
  t.not(missing.header('Shoal-Session'), '', 'a 404 has one too')
  const context = (await n1.ask(path)).header('Causal-Context')
  const plain = await n2.ask(path, { headers: { 'Shoal-Session': context } })
  t.equal(plain.status, 200, 'a context is taken as a session')
})

t.test('a value ends when its time is over', async (t) => {
  const path = kv('values', 'short')
  const put = await n1.ask(path, { method: 'PUT', body: 'x', headers: { TTL: '1' } })
  t.equal(put.status, 204)
  t.equal((await n2.ask(path)).text, 'x')
  const gone = await until('its end', async () => {
    const answer = await n3.ask(path)
    return answer.status === 404 && answer
  })
  checkKeyHeaders(t, gone, { exists: false })
  const { keys } = (await n2.ask('/v1/kv/values?prefix=short')).json() as { keys: string[] }
  t.same(keys, [], 'and leaves the list')

  const brief = kv('brief', 'k')
  await n1.ask(brief, { method: 'PUT', body: 'x' })
  const kept = { method: 'PUT', body: 'y', headers: { TTL: '3600' } }
  await n1.ask(kv('brief', 'kept'), kept)
  await until('the end that the bucket sets', async () => (await n4.ask(brief)).status === 404)
  t.equal((await n2.ask(kv('brief', 'kept'))).text, 'y', 'a request overrules its bucket')
})
