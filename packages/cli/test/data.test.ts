/** `get`, `put`, `delete` and `list` as processes, before a server that answers as told. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { about, fakeCluster, problem } from './support/fake-cluster.ts'
import { shoal } from './support/shoal.ts'

const folder = mkdtempSync(join(tmpdir(), 'shoal-test-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true }))

const milk = {
  status: 200,
  headers: about({
    etag: '"e1"',
    'content-type': 'text/plain',
    'last-modified': 'Sat, 31 Jan 2026 10:20:30 GMT',
  }),
  body: 'milk',
}

const binary = Buffer.from([0, 0xff, 0x0a, 0x1b, 0x80])

const two = {
  status: 300,
  headers: about({ etag: '"both"' }),
  body: {
    siblings: [
      {
        etag: '"e1"',
        type: 'text/plain',
        modified: '2026-01-31T10:20:30.000Z',
        size: 5,
        base64: Buffer.from('milk\n').toString('base64'),
      },
      {
        etag: '"e2"',
        type: 'image/png',
        modified: '2026-01-31T10:20:31.000Z',
        size: binary.length,
        base64: binary.toString('base64'),
      },
    ],
  },
}

t.test('get prints the bytes of the value alone, and its context on stderr', async (t) => {
  const { url, requests } = await fakeCluster(t, () => milk)
  const { code, stdout, stderr } = await shoal([
    ...['get', 'carts', 'a/b', '--url', url],
    ...['--consistency', 'one;strict'],
  ])
  t.equal(code, 0)
  t.equal(stdout, 'milk', 'no line end is added for a pipe')
  t.equal(stderr, '"e1"  text/plain  4 B  2026-01-31T10:20:30.000Z\ncontext c1.AAEC\n')
  t.match(requests, [
    { method: 'GET', url: '/v1/kv/carts/a%2Fb', headers: { consistency: 'one;strict' } },
  ])
})

t.test('get --quiet prints nothing else', async (t) => {
  const { url } = await fakeCluster(t, () => milk)
  t.same(await shoal(['get', 'carts', '42', '-q', '--url', url]), {
    code: 0,
    stdout: 'milk',
    stderr: '',
  })
})

t.test('get --file writes the bytes as they are', async (t) => {
  const { url } = await fakeCluster(t, () => ({ ...milk, body: binary }))
  const file = join(folder, 'value')
  const { code, stdout } = await shoal(['get', 'carts', '42', '--file', file], {
    env: { SHOAL_URL: url },
  })
  t.equal(code, 0)
  t.equal(stdout, '')
  t.same(readFileSync(file), binary)
})

t.test('get --file tells when it cannot write', async (t) => {
  const { url } = await fakeCluster(t, () => milk)
  const file = join(folder, 'no', 'such', 'folder')
  t.match(await shoal(['get', 'carts', '42', '--file', file, '--url', url]), {
    code: 2,
    stderr: /cannot be written/,
  })
})

t.test('get --json', async (t) => {
  const { url } = await fakeCluster(t, () => milk)
  const { stdout } = await shoal(['get', 'carts', '42', '--json', '--url', url])
  t.match(JSON.parse(stdout), {
    kind: 'value',
    bucket: 'carts',
    key: '42',
    value: 'milk',
    etag: '"e1"',
    context: 'c1.AAEC',
    receipt: { n: 3, ack: 2, node: 'n1' },
  })
})

t.test('siblings cannot be missed', async (t) => {
  const { url } = await fakeCluster(t, () => two)

  await t.test('all are listed', async (t) => {
    const { code, stdout, stderr } = await shoal(['get', 'carts', '42', '--url', url])
    t.equal(code, 0)
    t.equal(
      stdout,
      [
        '2 values, written without knowledge of each other',
        '',
        '--- 1 of 2  "e1"  text/plain  5 B  2026-01-31T10:20:30.000Z',
        'milk',
        '',
        '--- 2 of 2  "e2"  image/png  5 B  2026-01-31T10:20:31.000Z',
        `(not text: shoal get carts 42 --sibling '"e2"' --file FILE)`,
        '',
      ].join('\n'),
    )
    t.match(stderr, 'shoal put carts 42 VALUE --context c1.AAEC')
  })

  await t.test('as JSON', async (t) => {
    const { code, stdout } = await shoal(['get', 'carts', '42', '--url', url, '--json'])
    t.equal(code, 0)
    t.match(JSON.parse(stdout), {
      kind: 'siblings',
      context: 'c1.AAEC',
      siblings: [
        { etag: '"e1"', value: 'milk\n' },
        { etag: '"e2"', base64: binary.toString('base64'), size: 5 },
      ],
    })
  })

  await t.test('as files of their own', async (t) => {
    const file = join(folder, 'many')
    const { code, stdout } = await shoal(['get', 'carts', '42', '--url', url, '-f', file])
    t.equal(code, 0)
    t.match(stdout, `${file}.1`)
    t.equal(readFileSync(`${file}.1`, 'utf8'), 'milk\n')
    t.same(readFileSync(`${file}.2`), binary)
    t.notOk(existsSync(file), 'none of them is taken for the value')
  })

  await t.test('but not on one stream', async (t) => {
    const { code } = await shoal(['get', 'carts', '42', '--url', url, '-f', '-'])
    t.equal(code, 2)
  })
})

t.test('get --sibling asks for one of them, with or without quotes', async (t) => {
  const { url, requests } = await fakeCluster(t, ({ url }) =>
    url.includes('gone') ? problem(404, 'SHOAL_SIBLING_NOT_FOUND') : milk,
  )
  const { code, stdout } = await shoal(['get', 'carts', '42', '--sibling', 'e1', '--url', url])
  t.equal(code, 0)
  t.equal(stdout, 'milk')
  t.match(requests[0]?.url, /\?sibling=e1$/)
  t.match(await shoal(['get', 'carts', '42', '--sibling', 'gone', '--url', url]), {
    code: 1,
    stderr: /SHOAL_SIBLING_NOT_FOUND/,
  })
})

t.test('a missing key is exit code 1, with the context that a deleted key has', async (t) => {
  const missing = {
    ...problem(404, 'SHOAL_KEY_NOT_FOUND'),
    headers: about({ 'content-type': 'application/problem+json' }),
  }
  const { url } = await fakeCluster(t, () => missing)
  t.same(await shoal(['get', 'carts', 'x\ny', '--url', url]), {
    code: 1,
    stdout: '',
    stderr: 'not found: "x\\ny" in carts\ncontext c1.AAEC\n',
  })
  const { code, stdout } = await shoal(['get', 'carts', '42', '--json', '--url', url])
  t.equal(code, 1)
  t.match(JSON.parse(stdout), { kind: 'absent', context: 'c1.AAEC' })
})

t.test('put sends text, a file or standard input', async (t) => {
  const { url, requests } = await fakeCluster(t, () => ({
    status: 204,
    headers: about({ etag: '"e3"' }),
  }))
  const put = (more: string[], input?: string | Uint8Array) =>
    shoal(['put', 'carts', '42', '--url', url, ...more], input === undefined ? {} : { input })

  t.same(await put(['milk', '--context', 'c1.AAAB', '--ttl', '60', '--if-match', 'e1']), {
    code: 0,
    stdout: '',
    stderr: 'written to 2 of 3 replicas, 2 on disk, by n1\ncontext c1.AAEC\n',
  })
  t.match(requests.at(-1), {
    method: 'PUT',
    body: Buffer.from('milk'),
    headers: {
      'content-type': /^text\/plain/,
      'causal-context': 'c1.AAAB',
      ttl: '60',
      'if-match': '"e1"',
      'idempotency-key': /^[0-9a-f-]{36}$/,
    },
  })

  await put(['--type', 'image/png', '--consistency', 'all'], binary)
  t.same(requests.at(-1)?.body, binary)
  t.match(requests.at(-1)?.headers, { 'content-type': 'image/png', consistency: 'all' })

  const file = fileWith(binary)
  await put(['--file', file, '-q'])
  t.same(requests.at(-1)?.body, binary)

  await put([], '')
  t.equal(requests.at(-1)?.body.length, 0, 'an empty value is a value')

  const { stdout } = await put(['milk', '--json'])
  t.match(JSON.parse(stdout), { kind: 'put', etag: '"e3"', receipt: { durable: 2 } })
})

function fileWith(bytes: Uint8Array): string {
  const file = join(folder, 'input')
  writeFileSync(file, bytes)
  return file
}

t.test('put refuses what it cannot mean', async (t) => {
  const { url, requests } = await fakeCluster(t, () => ({ status: 204, headers: about() }))
  const wrong: [string[], RegExp][] = [
    [['milk', '--file', 'x'], /both a VALUE and --file/],
    [['--file', join(folder, 'nowhere')], /cannot be read/],
    [['milk', '--ttl', '0'], /whole number from 1/],
    [['milk', '--consistency', 'most'], /"most" is not one of one, quorum, all/],
    [['milk', 'bread'], /too many arguments/],
  ]
  for (const [more, message] of wrong) {
    t.match(await shoal(['put', 'carts', '42', '--url', url, ...more]), {
      code: 2,
      stdout: '',
      stderr: message,
    })
  }
  t.same(requests, [], 'nothing was sent')
})

t.test('how a write failed is told by the exit code', async (t) => {
  const { url, requests } = await fakeCluster(t, ({ url }) => {
    if (url.endsWith('/down')) {
      return problem(503, 'SHOAL_QUORUM_UNREACHABLE', {
        outcome: 'not-applied',
        retry: 'never',
        hint: 'wait',
        replicas: [{ node: 'n2', role: 'primary', state: 'down', ms: 1 }],
      })
    }
    if (url.endsWith('/doubt')) {
      return problem(504, 'SHOAL_QUORUM_TIMEOUT', { outcome: 'unknown', retry: 'never' })
    }
    return problem(412, 'SHOAL_PRECONDITION_FAILED', { outcome: 'not-applied', retry: 'never' })
  })
  const put = (key: string, ...more: string[]) =>
    shoal(['put', 'carts', key, 'milk', '--url', url, ...more])

  t.match(await put('down'), { code: 3, stderr: /n2 \(primary\): down[\s\S]*hint: wait/ })
  t.match(await put('changed', '--if-match', 'e1'), { code: 5, stderr: /PRECONDITION_FAILED/ })

  const doubt = await put('doubt')
  t.equal(doubt.code, 4)
  const sent = requests.at(-1)?.headers['idempotency-key']
  t.match(doubt.stderr, `--idempotency-key ${sent}`, 'it can be repeated')
  const { error } = JSON.parse((await put('doubt', '--json')).stderr) as { error: object }
  t.match(error, { exit: 4, code: 'SHOAL_QUORUM_TIMEOUT', outcome: 'unknown' })
})

t.test('delete', async (t) => {
  const { url, requests } = await fakeCluster(t, () => ({ status: 204, headers: about() }))
  t.match(await shoal(['delete', 'carts', '42', '--context', 'c1.AAAB', '--url', url]), {
    code: 0,
    stdout: '',
    stderr: /deleted on 2 of 3 replicas/,
  })
  t.match(requests[0], { method: 'DELETE', headers: { 'causal-context': 'c1.AAAB' } })
})

t.test('list follows cursors to the end, or as far as it was told', async (t) => {
  const { url, requests } = await fakeCluster(t, ({ url }) => {
    const asked = new URL(url, 'http://x').searchParams
    const second = asked.get('cursor') === 'next'
    return {
      status: 200,
      headers: { consistency: 'one' },
      body: { keys: second ? ['c\nd'] : ['a', 'b'], cursor: second ? null : 'next' },
    }
  })
  t.same(await shoal(['list', 'carts', '--url', url]), {
    code: 0,
    stdout: 'a\nb\n"c\\nd"\n',
    stderr: '',
  })

  const some = await shoal(['list', 'carts', '--prefix', 'x y', '--limit', '2', '--url', url])
  t.match(requests.at(-1)?.url, /limit=2&prefix=x%20y/)
  t.same(some, { code: 0, stdout: 'a\nb\n', stderr: 'more: shoal list carts --cursor next\n' })

  const json = await shoal(['list', 'carts', '--json', '--url', url])
  t.equal(json.stdout, '{"key":"a"}\n{"key":"b"}\n{"key":"c\\nd"}\n{"cursor":null}\n')
})

t.test('a node that is not there', async (t) => {
  const { code, stderr } = await shoal(['get', 'a', 'b', '--url', 'http://127.0.0.1:1'])
  t.equal(code, 3)
  t.match(stderr, /SHOAL_CLIENT_UNREACHABLE[\s\S]*shoal dev/)
})

t.test('another of several URLs', async (t) => {
  const { url } = await fakeCluster(t, () => milk)
  const { code, stdout } = await shoal(['get', 'a', 'b', '--url', `http://127.0.0.1:1, ${url}`])
  t.equal(code, 0)
  t.equal(stdout, 'milk')
})
