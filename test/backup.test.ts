/** A cluster is copied while it is written to, lost, and brought back into one of another size. */
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { putBuckets } from './support/buckets.ts'
import { kv } from './support/http.ts'
import { environment, type NodeProcess, script } from './support/node-process.ts'
import { RealCluster } from './support/real-cluster.ts'

t.setTimeout(300_000)

interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

async function shoal(...parameters: readonly string[]): Promise<Ran> {
  try {
    const options = { env: environment({ NO_COLOR: '1' }) }
    const ran = await promisify(execFile)(process.execPath, [script, ...parameters], options)
    return { code: 0, ...ran }
  } catch (error) {
    return error as Ran
  }
}

const text = { 'Content-Type': 'text/plain' }

async function put(node: NodeProcess, key: string, body: string, more = {}): Promise<string> {
  const headers = { ...text, ...more }
  const answer = await node.ask(kv('things', key), { method: 'PUT', body, headers })
  if (answer.status !== 204) throw new Error(`${key}: ${answer.status} ${answer.text}`)
  return answer.header('causal-context')
}

/** What a client sees of a key: its values in some order, and what its context covers. */
async function seen(node: NodeProcess, key: string): Promise<object> {
  const headers = { Accept: 'application/vnd.shoal.siblings+json', Consistency: 'all' }
  const answer = await node.ask(kv('things', key), { headers })
  const values =
    answer.status === 300
      ? (answer.json() as { siblings: { base64: string }[] }).siblings
          .map(({ base64 }) => Buffer.from(base64, 'base64').toString())
          .sort()
      : [answer.text]
  return { status: answer.status, values: answer.status === 404 ? [] : values }
}

t.test('backup, loss, restore', { timeout: 200_000 }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'shoal-backup-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const full = join(folder, 'full')
  const since = join(folder, 'since')
  const small = { partitions: 16 }
  const cluster = await RealCluster.start(t, small)
  const [n1, n2] = cluster.nodes as [NodeProcess, NodeProcess]
  await putBuckets(cluster.nodes, { things: { blindWrites: 'sibling' } })

  const keys = Array.from({ length: 300 }, (_, index) => `key-${index}`)
  await Promise.all(keys.map((key) => put(n1, key, `value of ${key}`)))
  await put(n1, 'both', 'one')
  await put(n2, 'both', 'other')
  const context = await put(n1, 'gone', 'x')
  await n1.ask(kv('things', 'gone'), { method: 'DELETE', headers: { 'Causal-Context': context } })

  const one = await shoal('backup', full, '--url', n1.url, '--json')
  t.equal(one.code, 0, one.stderr)
  const { rows } = JSON.parse(one.stdout) as { rows: number }
  t.ok(rows >= 302, `${rows} rows`)
  t.match(await shoal('backup', 'verify', full), { code: 0, stdout: /is whole/ })
  t.match(await shoal('backup', full, '--url', n1.url), { code: 2, stderr: /holds a backup/ })

  await put(n1, 'later', 'new')
  await put(n1, 'key-7', 'changed', { 'Causal-Context': await contextOf(n1, 'key-7') })
  const two = await shoal('backup', since, '--since', full, '--url', n2.url, '--json')
  t.equal(two.code, 0, two.stderr)
  const changed = (JSON.parse(two.stdout) as { rows: number }).rows
  t.ok(changed >= 2 && changed < rows / 2, `${changed} rows since`)
  await cluster.end(t)

  const bigger = await RealCluster.start(t, { ...small, nodes: 5, partitions: 32 })
  const [m1, m2] = bigger.nodes as [NodeProcess, NodeProcess]
  const url = m2.url
  t.match(await shoal('restore', since, '--url', url), {
    code: 2,
    stderr: /full backup is missing/,
  })
  const dry = await shoal('restore', '--dry-run', full, since, '--url', url)
  t.match(dry, { code: 0, stdout: /of 5 nodes[\s\S]*nothing was done/ })
  t.match(await seen(m1, 'key-1'), { status: 404 })

  const brought = await shoal('restore', since, full, '--url', url)
  t.equal(brought.code, 0, brought.stderr + brought.stdout)
  t.match(brought.stdout, /restored \d+ rows/)
  for (const key of keys) {
    const wanted = key === 'key-7' ? 'changed' : `value of ${key}`
    t.same(await seen(m1, key), { status: 200, values: [wanted] }, key)
  }
  t.same(await seen(m2, 'both'), { status: 300, values: ['one', 'other'] })
  t.same(await seen(m1, 'later'), { status: 200, values: ['new'] })
  t.match(await seen(m1, 'gone'), { status: 404 })

  await put(m1, 'both', 'merged', { 'Causal-Context': await contextOf(m2, 'both') })
  t.same(await seen(m2, 'both'), { status: 200, values: ['merged'] }, 'its context covers both')
  const blind = await m1.ask(kv('things', 'key-1'), {
    method: 'PUT',
    body: 'beside',
    headers: text,
  })
  t.equal(blind.header('siblings'), '2', 'properties of buckets are back too')

  const again = await shoal('restore', full, since, '--url', url)
  t.equal(again.code, 0, again.stderr)
  t.same(await seen(m1, 'both'), { status: 200, values: ['merged'] }, 'what is newer stays')

  const [file = ''] = readdirSync(full).filter((name) => name.endsWith('.gz'))
  const bytes = readFileSync(join(full, file))
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 3) ^ 1, bytes.length - 3)
  writeFileSync(join(full, file), bytes)
  t.match(await shoal('backup', 'verify', full), { code: 5, stdout: new RegExp(file) })
})

async function contextOf(node: NodeProcess, key: string): Promise<string> {
  const answer = await node.ask(kv('things', key), { headers: { Consistency: 'all' } })
  return answer.header('causal-context')
}

t.test('a backup that was interrupted is gone on with', { timeout: 100_000 }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'shoal-backup-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const cluster = await RealCluster.start(t, { nodes: 1, replicas: 1, partitions: 16 })
  const [n1] = cluster.nodes as [NodeProcess]
  await Promise.all(Array.from({ length: 50 }, (_, index) => put(n1, `key-${index}`, 'x')))
  await shoal('backup', folder, '--url', n1.url)
  const whole = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as {
    files: { file?: string }[]
  }
  // As it lies there when half of it was done.
  const { ended: _ended, files, ...begun } = whole as typeof whole & { ended: string }
  writeFileSync(
    join(folder, 'manifest.partial.json'),
    JSON.stringify({ ...begun, files: files.slice(0, 8) }),
  )
  rmSync(join(folder, 'manifest.json'))
  t.match(await shoal('backup', 'verify', folder), { code: 2, stderr: /no whole backup/ })
  t.match(await shoal('backup', folder, '--url', n1.url), { code: 0, stdout: /rows/ })
  t.notOk(existsSync(join(folder, 'manifest.partial.json')))
  t.match(await shoal('backup', 'verify', folder), { code: 0, stdout: /is whole/ })
})
