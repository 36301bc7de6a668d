/** Nodes that must not start, or must stop and say why; and nodes that stop as they should. */
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import t, { type Test } from 'tap'
import { type Answer, keepAlive, kv } from './support/http.ts'
import { explanationOf, receiptOf } from './support/kv-answers.ts'
import { Load, readAll } from './support/load.ts'
import { NodeProcess } from './support/node-process.ts'
import { checkProblem } from './support/problems.ts'
import { RawConnection } from './support/raw.ts'
import { RealCluster } from './support/real-cluster.ts'
import { until } from './support/until.ts'

t.setTimeout(240_000)

const cluster = await RealCluster.start(t)
const { nodes, folder, peers, secretFile } = cluster
const [n1, n2, n3] = nodes as [NodeProcess, NodeProcess, NodeProcess]
/** What a process ends with: somebody has to correct something, it may work later, it failed. */
const exits = { usage: 2, unavailable: 3, failed: 5 } as const

interface Attempt {
  readonly id?: string
  readonly url?: string
  readonly data?: string
  readonly parameters?: readonly string[]
}

let attempts = 0

/** A process that is to end by itself, in a directory of its own unless one is given. */
async function attempt(
  t: Test,
  { id = 'n3', url = n3.url, data, parameters = [] }: Attempt,
): Promise<{ code: number | null; log: string }> {
  const given = ['--node-id', id, '--listen', new URL(url).host]
  const plan = {
    id,
    url,
    data: data ?? join(folder, `attempt-${attempts++}`),
    parameters: [...given, '--peers', peers, '--secret-file', secretFile],
  }
  const node = new NodeProcess({ ...plan, parameters: [...plan.parameters, '--data', plan.data] })
  t.teardown(() => (node.isAlive ? node.kill() : undefined))
  node.launch(parameters)
  const { code, signal } = await node.ended
  t.equal(signal, null, 'it ends by itself')
  return { code, log: node.log }
}

/** The others go on as if nothing had been. */
async function othersServe(t: Test): Promise<void> {
  await cluster.settled()
  const put = await n1.ask(kv('starting', 'k'), { method: 'PUT', body: 'x' })
  t.equal(put.status, 204, 'the cluster goes on')
}

/** Where somebody else may listen who claims to be n3. */
const elsewhere = 'http://127.0.0.1:0'

t.test('a second node with one id', async (t) => {
  const { code, log } = await attempt(t, { url: elsewhere })
  t.equal(code, exits.usage)
  t.match(log, /SHOAL_NODE_ID_TAKEN/)
  t.match(log, /n3/, 'names it')
  t.ok(n3.isAlive, 'the first one stays')
  await othersServe(t)
})

t.test('one directory for two processes', async (t) => {
  const { code, log } = await attempt(t, { url: elsewhere, data: n3.plan.data })
  t.equal(code, exits.unavailable)
  t.match(log, /SHOAL_STORE_LOCKED/)
  await othersServe(t)
})

t.test('an address that is taken', async (t) => {
  const { code, log } = await attempt(t, {})
  t.equal(code, exits.unavailable)
  t.match(log, /SHOAL_ADDRESS_IN_USE/)
  t.match(log, new URL(n3.url).host, 'names it')
})

t.test('with n3 stopped', async (t) => {
  await cluster.stop('n3')

  await t.test('a wrong secret', async (t) => {
    const wrong = cluster.writeSecret('wrong', 'not the secret of this cluster')
    const { code, log } = await attempt(t, { parameters: ['--secret-file', wrong] })
    t.equal(code, exits.usage)
    t.match(log, /SHOAL_SECRET_WRONG/)
    t.match(log, /n1, n2|n2, n1/, 'names who refuses')
    t.notMatch(log, /not the secret of this cluster/, 'and does not tell the secret')
    await othersServe(t)
  })

  const configurations: [string, readonly string[], RegExp][] = [
    ['other partitions', ['--partitions', '128'], /partitions.*(128.*256|256.*128)/],
    ['other replicas', ['--replicas', '2'], /replicas.*(2.*3|3.*2)/],
    ['another weight', ['--peers', peers.replace(n1.url, `${n1.url};weight=2`)], /n1.*weight/],
    ['another zone', ['--peers', peers.replace(n2.url, `${n2.url};zone=z`)], /n2.*zone/],
  ]
  for (const [about, parameters, difference] of configurations) {
    await t.test(`peers of a ring with ${about}`, async (t) => {
      const { code, log } = await attempt(t, { parameters })
      t.equal(code, exits.usage)
      t.match(log, /SHOAL_RING_MISMATCH/)
      t.match(log, difference, 'names the difference')
      await othersServe(t)
    })
  }

  await t.test('peers that list one member more', async (t) => {
    const more = `${peers},n4=http://127.0.0.1:1`
    const { code, log } = await attempt(t, { parameters: ['--peers', more] })
    t.equal(code, exits.usage)
    t.match(log, /n4/, 'names the member')
    await othersServe(t)
  })

  await t.test('a directory of another cluster, of another node, of nobody', async (t) => {
    const kept = readFileSync(join(n3.plan.data, 'SHOAL'), 'utf8')
    const wrong = cluster.writeSecret('wrong', 'not the secret of this cluster')
    const strange = join(folder, 'strange')
    mkdirSync(strange)
    writeFileSync(join(strange, 'letters.txt'), 'dear')
    const cells: [string, Attempt, string][] = [
      ['another secret', { data: n3.plan.data, parameters: ['--secret-file', wrong] }, 'cluster'],
      ['that of n1', { data: n1.plan.data }, 'node n1'],
      ['letters', { data: strange }, 'letters.txt'],
    ]
    for (const [about, tried, told] of cells) {
      const { code, log } = await attempt(t, tried)
      t.equal(code, exits.usage, about)
      t.match(log, /SHOAL_STORE_FOREIGN/)
      t.match(log, told, `tells of ${told}`)
    }
    t.equal(readFileSync(join(n3.plan.data, 'SHOAL'), 'utf8'), kept, 'nothing was changed')
    t.notOk(existsSync(join(strange, 'rocksdb')), 'nothing was made')
  })

  await t.test('a newer format and a damaged one', async (t) => {
    const newer = join(folder, 'newer')
    cpSync(n3.plan.data, newer, { recursive: true })
    const identity = readFileSync(join(newer, 'SHOAL'), 'utf8')
    writeFileSync(join(newer, 'SHOAL'), identity.replace('format 1', 'format 2'))
    const first = await attempt(t, { data: newer })
    t.equal(first.code, exits.usage)
    t.match(first.log, /SHOAL_STORE_NEWER/)
    writeFileSync(join(newer, 'SHOAL'), identity.replace('node n3', 'node n2'))
    const second = await attempt(t, { data: newer, id: 'n3' })
    t.equal(second.code, exits.failed)
    t.match(second.log, /SHOAL_STORE_DAMAGED/, 'a changed line fails its checksum')
  })

  await cluster.start('n3')
  await othersServe(t)
})

/** The actor under which a node writes, and its counter. */
async function nextDot(
  node: NodeProcess,
  key: string,
): Promise<{ actor: string; counter: number }> {
  const context = (await node.ask(kv('actors', key))).header('Causal-Context')
  const headers = { 'Causal-Context': context, Consistency: 'all' }
  const put = await node.ask(kv('actors', key), { method: 'PUT', body: 'x', headers })
  if (put.status !== 204 || receiptOf(put).node !== node.id) throw new Error(put.text)
  const { holders } = explanationOf(await node.ask(`/v1/explain/actors/${key}`))
  const [actor = '', counter = ''] = (holders[0]?.dots[0] ?? '').split(':')
  return { actor, counter: Number(counter) }
}

/** A connection that has been used and has begun to ask once more. */
async function halfAsked(node: NodeProcess, path: string): Promise<RawConnection> {
  const connection = await RawConnection.open(node.url)
  connection.send('GET /livez HTTP/1.1\r\nHost: n\r\n\r\n')
  await connection.answer()
  return connection.forget().send(`GET ${path} HTTP/1.1\r\nHost: n\r\n`)
}

t.test('while it drains a node finishes what it took and takes no more', async (t) => {
  const path = kv('draining', 'k')
  const begun = await RawConnection.open(n2.url)
  begun.send(`PUT ${path} HTTP/1.1\r\nHost: n\r\nContent-Length: 5\r\n\r\nwh`)
  const probe = await halfAsked(n2, '/readyz')
  const late = await halfAsked(n2, path)
  await n2.ask('/livez')
  const ended = n2.stop()
  await until('the drain', () => n2.ask('/livez').then(() => false, isRefused))
  const draining = { status: 503, code: 'SHOAL_DRAINING', retry: 'after' } as const
  probe.send('\r\n')
  const notReady = await probe.answer()
  checkProblem(t, notReady, draining, 'readyz fails')
  t.equal(notReady.header('Connection'), 'close')
  late.send('\r\n')
  checkProblem(t, await late.answer(), draining, 'a new request is refused')
  begun.send('ole')
  t.equal((await begun.answer()).status, 204, 'a request under way is finished')
  t.same(await ended, { code: 0, signal: null })
  t.equal((await n1.ask(path)).text, 'whole', 'through the peers, which it still had')
  for (const connection of [begun, probe, late]) connection.destroy()
  await cluster.settled()
  await cluster.start('n2')
})

const isRefused = (error: NodeJS.ErrnoException): boolean => error.code === 'ECONNREFUSED'

t.test('a node that is asked to stop under load finishes what it began', async (t) => {
  const key = 'kept'
  const before = await nextDot(n2, key)
  const load = new Load({ nodes, bucket: 'drained', seed: 3, workers: 12 })
  await until('the load', () => load.acknowledgements.length > 100)
  const idle = keepAlive()
  await n2.ask('/livez', { agent: idle })
  const from = performance.now()
  const ending = await n2.stop()
  const took = performance.now() - from
  idle.destroy()
  t.same(ending, { code: 0, signal: null }, 'it ends with 0')
  t.ok(took < 8_000, `after ${Math.round(took)} ms, without running into its own patience`)
  await cluster.settled()
  await cluster.start('n2')
  await load.stop()

  const cut = load.statuses.get(0) ?? 0
  t.ok(cut <= 12, `${cut} requests got no answer, at most one of each client`)
  t.same(load.unexpected, [], 'all others were answered, or refused in words')
  const final = await readAll(n2, load)
  t.same(load.history.faults(final).slice(0, 5), [], 'what was acknowledged is there')

  const after = await nextDot(n2, key)
  t.equal(after.actor, before.actor, 'after a clean stop it writes on under its actor')
  t.ok(after.counter > before.counter, 'and counts on')
  await n2.kill()
  await cluster.settled()
  await cluster.start('n2')
  const crashed = await nextDot(n2, key)
  t.not(crashed.actor, before.actor, 'after a crash under a new one')
})

t.test('a node stops cleanly although a peer that owes it an answer is silent', async (t) => {
  const headers = { 'Shoal-Timeout': '30000' }
  const put = (): Promise<Answer> =>
    n2.ask(kv('silent', 'k'), { method: 'PUT', body: 'x', headers })
  await put()
  n3.freeze()
  t.equal((await put()).status, 204, 'the other peer has answered')
  const ending = await n2.stop()
  n3.thaw()
  t.same(ending, { code: 0, signal: null }, 'it gives the silent one up, and ends as it should')
  await cluster.start('n2')
})

t.test('every node is restarted in turn, and nobody notices but by receipts', async (t) => {
  const load = new Load({ nodes, bucket: 'rolled', seed: 4, workers: 6 })
  for (const node of nodes) {
    const { length } = load.acknowledgements
    await until('writes between', () => load.acknowledgements.length > length + 30)
    t.same(await node.stop(), { code: 0, signal: null })
    await cluster.start(node.id)
  }
  await load.stop()
  t.same(load.unexpected, [])
  const final = await readAll(n1, load)
  t.same(load.history.faults(final).slice(0, 5), [], 'nothing is lost')
})
