/** The keeping of node processes, with a stand-in for the node: quick, and it fails on demand. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { startChaos } from '../src/dev/chaos.ts'
import { Links } from '../src/dev/links.ts'
import { LocalCluster } from '../src/dev/local-cluster.ts'
import type { Ending } from '../src/dev/node-process.ts'
import { planCluster, planMembers } from '../src/dev/plan.ts'
import { freePorts } from './support/shoal.ts'

const fakeNode = fileURLToPath(new URL('./support/fake-node.js', import.meta.url))

interface Kept {
  readonly cluster: LocalCluster
  readonly port: number
  readonly lines: string[]
  readonly deaths: { id: string; ending: Ending }[]
  /** Settles at the next death. */
  readonly died: () => Promise<void>
}

async function keep(
  t: Test,
  { nodes = 2, fake = '', startTimeoutMs = 20_000, stopTimeoutMs = 10_000 } = {},
): Promise<Kept> {
  const folder = mkdtempSync(join(tmpdir(), 'shoal-test-'))
  const port = await freePorts(nodes)
  const lines: string[] = []
  const deaths: { id: string; ending: Ending }[] = []
  let wake: () => void = () => {}
  const plans = planCluster({
    nodes,
    port,
    folder,
    secretFile: join(folder, 'secret'),
    more: fake === '' ? [] : ['--fake', fake],
  })
  const cluster = new LocalCluster(
    plans,
    {
      line: (id, line) => lines.push(`${id}: ${line}`),
      died: ({ plan: { id } }, ending) => {
        deaths.push({ id, ending })
        wake()
      },
    },
    { command: [fakeNode], startTimeoutMs, stopTimeoutMs },
  )
  t.teardown(async () => {
    cluster.killNow()
    await cluster.stop()
    rmSync(folder, { recursive: true, force: true })
  })
  const died = (): Promise<void> =>
    new Promise((resolve) => {
      wake = resolve
    })
  return { cluster, port, lines, deaths, died }
}

const conditions = ({ nodes }: LocalCluster): string[] => nodes.map(({ condition }) => condition)

t.test('all nodes serve when the start has ended, and drain when stopped', async (t) => {
  const { cluster, port, lines, deaths } = await keep(t)
  t.same(await cluster.start(), [], 'every node came to serve')
  t.same(conditions(cluster), ['running', 'running'])
  const answer = await fetch(`http://127.0.0.1:${port + 1}/`)
  t.equal(await answer.text(), 'n2\n')
  await cluster.stop()
  t.same(conditions(cluster), ['stopped', 'stopped'])
  t.ok(lines.includes('n1: n1 drained') && lines.includes('n2: n2 drained'), lines.join())
  t.same(deaths, [], 'an end that was asked for is no death')
})

t.test('a node that ends before it serves is named, with its last lines', async (t) => {
  const { cluster, deaths } = await keep(t, { fake: 'fail-n2' })
  const failed = await cluster.start()
  t.same(
    failed.map(({ plan }) => plan.id),
    ['n2'],
  )
  t.same(failed[0]?.lastLines, ['n2 cannot start'])
  t.same(deaths, [{ id: 'n2', ending: { code: 2, signal: null } }])
  t.same(conditions(cluster), ['running', 'failed'], 'it is not started again')
})

t.test('a node that does not come to serve in time is killed', async (t) => {
  const { cluster, deaths } = await keep(t, { nodes: 1, fake: 'mute', startTimeoutMs: 50 })
  t.equal((await cluster.start()).length, 1)
  t.same(deaths, [{ id: 'n1', ending: { code: null, signal: 'SIGKILL' } }])
})

t.test('a node that does not hear SIGTERM is killed after its time', async (t) => {
  const { cluster, deaths } = await keep(t, { nodes: 1, fake: 'deaf', stopTimeoutMs: 50 })
  t.same(await cluster.start(), [])
  t.same(await cluster.nodes[0]?.stop(), { code: null, signal: 'SIGKILL' })
  t.same(conditions(cluster), ['stopped'])
  t.same(deaths, [])
})

t.test('a node that dies while it serves is told of once', async (t) => {
  const { cluster, port, deaths, died } = await keep(t)
  await cluster.start()
  const death = died()
  await fetch(`http://127.0.0.1:${port}/die`).catch(() => undefined)
  await death
  t.same(deaths, [{ id: 'n1', ending: { code: 7, signal: null } }])
  t.same(conditions(cluster), ['failed', 'running'])
})

t.test('chaos on request', async (t) => {
  const { cluster, port, deaths, lines } = await keep(t)
  await cluster.start()
  const links = await Links.lay(planMembers(2, port))
  const server = await startChaos({ cluster, links }, port + 100)
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
    links.close()
  })
  const base = `http://127.0.0.1:${port + 100}`
  const ask = async (method: string, path: string, headers: Record<string, string> = {}) => {
    const response = await fetch(base + path, { method, headers })
    const body = (await response.json()) as { condition?: string; error?: string; pid?: number }
    const { status, headers: told } = response
    const readableBy = told.get('access-control-allow-origin')
    return { status, body, allow: told.get('allow'), readableBy }
  }
  const answersNow = async (): Promise<boolean> => {
    try {
      const signal = AbortSignal.timeout(300)
      return (await fetch(`http://127.0.0.1:${port + 1}/`, { signal })).ok
    } catch {
      return false
    }
  }

  await t.test('it lists the nodes', async (t) => {
    const { status, body } = await ask('GET', '/nodes')
    t.equal(status, 200)
    t.match(body, [
      { id: 'n1', condition: 'running', pid: Number },
      { id: 'n2', url: `http://127.0.0.1:${port + 1}` },
    ])
    t.match(await ask('GET', '/nodes/n2'), { status: 200, body: { id: 'n2' } })
  })

  await t.test('pause freezes a node and resume wakes it', async (t) => {
    t.match(await ask('POST', '/nodes/n2/pause'), { status: 200, body: { condition: 'paused' } })
    t.equal(await answersNow(), false)
    t.match(await ask('POST', '/nodes/n2/pause'), { status: 409, body: { condition: 'paused' } })
    t.match(await ask('POST', '/nodes/n2/resume'), { status: 200, body: { condition: 'running' } })
    t.equal(await answersNow(), true)
  })

  await t.test('kill and start', async (t) => {
    t.match(await ask('POST', '/nodes/n2/kill'), {
      status: 200,
      body: { condition: 'killed', pid: null },
    })
    t.equal(await answersNow(), false)
    t.match(await ask('POST', '/nodes/n2/stop'), { status: 409 })
    t.match(await ask('POST', '/nodes/n2/start'), { status: 200, body: { condition: 'running' } })
    t.equal(await answersNow(), true)
  })

  await t.test('stop drains, also a paused node', async (t) => {
    await ask('POST', '/nodes/n2/pause')
    t.match(await ask('POST', '/nodes/n2/stop'), { status: 200, body: { condition: 'stopped' } })
    t.ok(lines.includes('n2: n2 drained'), lines.join())
    await ask('POST', '/nodes/n2/start')
  })

  await t.test('a cut link carries nothing, tells nobody, and delivers late', async (t) => {
    const between = links.urlBetween('n1', 'n2') ?? ''
    const throughLink = async (): Promise<string> => (await fetch(between)).text()
    t.equal(await throughLink(), 'n2\n')
    t.match(await ask('POST', '/links/n2/n1/cut'), { status: 200, body: { condition: 'cut' } })
    t.match((await ask('GET', '/links')).body, [{ nodes: ['n1', 'n2'], condition: 'cut' }])
    const late = throughLink()
    const first = await Promise.race([late, ask('GET', '/links/n1/n2').then(() => 'nothing')])
    t.equal(first, 'nothing')
    t.equal(await answersNow(), true, 'clients go straight to the node')
    t.match(await ask('POST', '/links/n1/n2/heal'), { status: 200, body: { condition: 'whole' } })
    t.equal(await late, 'n2\n')
  })

  await t.test('one request makes all whole', async (t) => {
    await ask('POST', '/links/n1/n2/cut')
    await ask('POST', '/nodes/n1/pause')
    await ask('POST', '/nodes/n2/kill')
    t.match(await ask('POST', '/heal'), {
      status: 200,
      body: { links: [{ condition: 'whole' }], nodes: [{ condition: 'running' }] },
    })
    t.same(conditions(cluster), ['running', 'running'])
  })

  await t.test('the console of this cluster may ask, other pages may not', async (t) => {
    for (const origin of [`http://127.0.0.1:${port + 1}`, `http://localhost:${port}`]) {
      t.match(await ask('GET', '/nodes', { origin }), { status: 200, readableBy: origin })
    }
    for (const origin of ['http://evil.example', 'null', `http://127.0.0.1:${port + 9}`]) {
      t.match(await ask('POST', '/links/n1/n2/cut', { origin }), { status: 403, readableBy: null })
    }
  })

  await t.test('what is not there, and what is not allowed', async (t) => {
    t.match(await ask('POST', '/links/n1/n1/cut'), { status: 404 })
    t.match(await ask('POST', '/links/n1/n9/cut'), { status: 404 })
    t.match(await ask('POST', '/links/n1/n2/tie'), { status: 404, body: { error: /cut or heal/ } })
    t.match(await ask('GET', '/links/n1/n2/cut'), { status: 405, allow: 'POST' })
    t.match(await ask('GET', '/heal'), { status: 405, allow: 'POST' })
    t.match(await ask('POST', '/nodes/n9/kill'), { status: 404 })
    t.match(await ask('POST', '/nodes/n1/explode'), { status: 404, body: { error: /kill/ } })
    t.match(await ask('GET', '/nodes/n1/kill'), { status: 405, allow: 'POST' })
    t.match(await ask('POST', '/nodes'), { status: 405, allow: 'GET' })
    t.match(await ask('GET', '/'), { status: 404 })
    t.same(conditions(cluster), ['running', 'running'])
  })

  t.same(deaths, [], 'nothing that was asked for counts as a death')
})
