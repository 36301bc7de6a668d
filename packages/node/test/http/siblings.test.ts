import { millis } from '@shoal/kernel'
import t from 'tap'
import { winnerOf } from '../../src/http/kv/siblings.ts'
import { openFace } from './doubles.ts'
import { call, jsonOf, problemOf } from './talk.ts'

const path = '/v1/kv/carts/42'

async function withSiblings() {
  const face = await openFace()
  const { keyValue } = face
  const values = [
    keyValue.addSibling('carts', '42', {
      body: Buffer.from('milk'),
      contentType: 'text/plain',
      modified: millis(1_700_000_005_000),
    }),
    keyValue.addSibling('carts', '42', {
      body: Buffer.from([0, 13, 10, 45, 45]),
      contentType: '',
      contentEncoding: 'gzip',
      modified: millis(1_700_000_009_000),
    }),
    keyValue.addSibling('carts', '42', {
      body: Buffer.from('milk'),
      contentType: 'text/plain',
      modified: millis(1_700_000_001_000),
    }),
  ] as const
  return { face, values }
}

t.test(
  'several values are 300 and a list, equal bytes twice, with the joined context',
  async (t) => {
    const { face } = await withSiblings()
    t.teardown(() => face.app.close())
    const answer = await call(face, 'GET', path)
    t.equal(answer.status, 300)
    t.match(answer.headers, {
      'content-type': 'application/json',
      'causal-context': 'c1.1-2-3',
      etag: '"3.w1.w2.w3"',
      siblings: '3',
      'last-modified': 'Tue, 14 Nov 2023 22:13:29 GMT',
      receipt: /^n=3/,
    })
    t.same(jsonOf(answer), {
      siblings: [
        {
          etag: '"w1"',
          type: 'text/plain',
          modified: '2023-11-14T22:13:25.000Z',
          size: 4,
          base64: 'bWlsaw==',
        },
        {
          etag: '"w2"',
          type: 'application/octet-stream',
          encoding: 'gzip',
          modified: '2023-11-14T22:13:29.000Z',
          size: 5,
          base64: 'AA0KLS0=',
        },
        {
          etag: '"w3"',
          type: 'text/plain',
          modified: '2023-11-14T22:13:21.000Z',
          size: 4,
          base64: 'bWlsaw==',
        },
      ],
    })
  },
)

t.test('the form is chosen by Accept', async (t) => {
  const { face } = await withSiblings()
  t.teardown(() => face.app.close())
  const type = 'application/vnd.shoal.siblings+json'
  const own = await call(face, 'GET', path, { headers: { Accept: type } })
  t.equal(own.headers['content-type'], type)
  t.equal(jsonOf<{ siblings: unknown[] }>(own).siblings.length, 3)
  const multipart = await call(face, 'GET', path, { headers: { Accept: 'multipart/mixed' } })
  t.equal(multipart.status, 300)
  const [, boundary = ''] = /boundary="([^"]+)"/.exec(multipart.headers['content-type'] ?? '') ?? []
  const text = multipart.body.toString('latin1')
  const parts = text.split(`--${boundary}`)
  t.equal(parts.length, 5)
  t.equal(parts[0], '')
  t.equal(parts[4], '--\r\n')
  t.equal(
    parts[2],
    '\r\nContent-Type: application/octet-stream\r\nContent-Encoding: gzip\r\n' +
      'Content-Length: 5\r\n' +
      'Last-Modified: Tue, 14 Nov 2023 22:13:29 GMT\r\nETag: "w2"\r\n\r\n\0\r\n--\r\n',
  )
})

t.test('one of them is fetched by its ETag, with or without quotes', async (t) => {
  const { face } = await withSiblings()
  t.teardown(() => face.app.close())
  for (const tag of ['w2', '%22w2%22']) {
    const one = await call(face, 'GET', `${path}?sibling=${tag}`)
    t.equal(one.status, 200, tag)
    t.same([...one.body], [0, 13, 10, 45, 45])
    t.match(one.headers, {
      etag: '"w2"',
      'content-encoding': 'gzip',
      'causal-context': 'c1.1-2-3',
      'last-modified': 'Tue, 14 Nov 2023 22:13:29 GMT',
    })
  }
  const none = await call(face, 'GET', `${path}?sibling=zz`)
  t.equal(none.status, 404)
  t.match(problemOf(none), { code: 'SHOAL_SIBLING_NOT_FOUND', retry: 'after-read' })
  t.equal(none.headers['causal-context'], 'c1.1-2-3')
  t.notOk('etag' in none.headers)
  t.equal(
    problemOf(await call(face, 'GET', '/v1/kv/carts/none?sibling=w2')).code,
    'SHOAL_KEY_NOT_FOUND',
  )
  const unchanged = { headers: { 'If-None-Match': '"w2"' } }
  t.equal((await call(face, 'GET', `${path}?sibling=w2`, unchanged)).status, 304)
})

t.test('Prefer: siblings=resolve answers the winner, and says that it did', async (t) => {
  const { face } = await withSiblings()
  t.teardown(() => face.app.close())
  const headers = { Prefer: 'siblings=resolve' }
  const won = await call(face, 'GET', path, { headers })
  t.equal(won.status, 200)
  t.same([...won.body], [0, 13, 10, 45, 45])
  t.match(won.headers, {
    'preference-applied': 'siblings=resolve',
    siblings: '3',
    etag: '"3.w1.w2.w3"',
    'causal-context': 'c1.1-2-3',
  })
  await call(face, 'PUT', path, { headers: { 'Causal-Context': 'c1.1-2-3' }, body: 'one' })
  const single = await call(face, 'GET', path, { headers })
  t.equal(single.body.toString(), 'one')
  t.notOk('preference-applied' in single.headers)
  t.notOk('siblings' in single.headers)
})

t.test('the winner has the largest stamp, then the largest dot, in any order', async (t) => {
  const value = (etag: string, modified: number) => ({
    etag,
    modified: millis(modified),
    contentType: '',
    contentEncoding: '',
    body: Buffer.alloc(0),
  })
  const values = [value('"b"', 5), value('"c"', 7), value('"a"', 7)]
  t.equal(winnerOf(values)?.etag, '"c"')
  t.equal(winnerOf([...values].reverse())?.etag, '"c"')
  t.equal(winnerOf([]), undefined)
})

t.test('the set as a whole is unchanged, or is not', async (t) => {
  const { face } = await withSiblings()
  t.teardown(() => face.app.close())
  const same = await call(face, 'GET', path, { headers: { 'If-None-Match': '"3.w1.w2.w3"' } })
  t.equal(same.status, 304)
  const one = await call(face, 'GET', path, { headers: { 'If-None-Match': '"w1"' } })
  t.equal(one.status, 300, 'the tag of one sibling is not that of the key')
})

t.test('a write that leaves siblings says how many', async (t) => {
  const { face } = await withSiblings()
  t.teardown(() => face.app.close())
  const put = await call(face, 'PUT', path, { headers: { 'Causal-Context': 'c1.1' }, body: 'x' })
  t.equal(put.status, 204)
  t.equal(put.headers.siblings, '3')
  t.equal(put.headers.etag, '"3.w2.w3.w4"')
})

t.test('HEAD of siblings tells the size of the list', async (t) => {
  const { face } = await withSiblings()
  t.teardown(() => face.app.close())
  const get = await call(face, 'GET', path)
  const head = await call(face, 'HEAD', path)
  t.equal(head.status, 300)
  t.equal(head.headers['content-length'], String(get.body.length))
  t.equal(head.body.length, 0)
})
