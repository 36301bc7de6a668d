/** `shoal hints` as a process, before a server that answers as told. */
import t, { type Test } from 'tap'
import { fakeCluster } from './support/fake-cluster.ts'
import { type Ran, shoal } from './support/shoal.ts'

const owed = { total: 2, bytes: 64, oldestMs: 5_000, targets: [], silent: [] }
const job = { id: 'j1', kind: 'hints', detail: '', progress: 0 }

/** Two nodes that are up and one that is not; each look at a job is answered by the next state. */
async function waited(t: Test, states: readonly string[]): Promise<Ran & { asked: string[] }> {
  const looks = [...states]
  const { url, requests } = await fakeCluster(t, ({ method, url, headers }) => {
    const node = (id: string, state: string) => ({ id, url: `http://${headers.host}`, state })
    if (url === '/v1/nodes') {
      return { status: 200, body: [node('n1', 'up'), node('n2', 'up'), node('n3', 'down')] }
    }
    if (method === 'POST') return { status: 202, body: { ...job, state: 'running' } }
    if (url === '/v1/jobs/j1') return { status: 200, body: { ...job, state: looks.shift() } }
    return { status: 200, body: owed }
  })
  const ran = await shoal(['hints', '--wait', '--url', url])
  return { ...ran, asked: requests.map(({ method, url }) => `${method} ${url}`) }
}

t.test('hints --wait ends when every node that is up has delivered what it owed', async (t) => {
  const { code, stdout, asked } = await waited(t, ['running', 'paused', 'done', 'done'])
  t.equal(code, 0)
  t.match(stdout, /^2 hints, 64 B/, 'then it shows what is owed since')
  t.equal(asked.filter((each) => each === 'POST /v1/hints/sync').length, 2, 'not of n3')
  t.equal(asked.filter((each) => each === 'GET /v1/jobs/j1').length, 4)
  t.equal(asked.at(-1), 'GET /v1/hints?scope=cluster')
})

t.test('hints --wait fails when a node gave some up, and shows all the same', async (t) => {
  const { code, stdout } = await waited(t, ['done', 'failed'])
  t.equal(code, 5)
  t.match(stdout, /^2 hints/)
})

t.test('hints without --wait asks once', async (t) => {
  const { url, requests } = await fakeCluster(t, () => ({ status: 200, body: owed }))
  t.match(await shoal(['hints', '--url', url]), { code: 0, stdout: /^2 hints/ })
  t.match(requests, [{ method: 'GET', url: '/v1/hints?scope=cluster' }])
  t.equal(requests.length, 1)
})
