/** A node whose disk fills up while it writes: a small disk in memory, where one can be mounted. */
import { join } from 'node:path'
import t from 'tap'
import { keyHeldBy } from './support/buckets.ts'
import { type Answer, kv } from './support/http.ts'
import { receiptOf } from './support/kv-answers.ts'
import { Load, readAll } from './support/load.ts'
import type { NodeProcess } from './support/node-process.ts'
import { checkProblem } from './support/problems.ts'
import { RealCluster } from './support/real-cluster.ts'
import { mountSmallDisk, type SmallDisk } from './support/small-disk.ts'
import { until } from './support/until.ts'

t.setTimeout(180_000)

/** Enough to go below what a node keeps free for itself, by far. */
const BALLAST_MEBIBYTES = 300

const disk = mountSmallDisk()
if (typeof disk === 'string') t.pass('a full disk', { skip: disk })
else {
  t.teardown(() => disk.remove())
  await fullDisk(disk)
}

async function fullDisk(disk: SmallDisk): Promise<void> {
  const cluster = await RealCluster.start(t, { dataOf: { n3: join(disk.path, 'n3') } })
  const [n1, n2, n3] = cluster.nodes as [NodeProcess, NodeProcess, NodeProcess]
  const put = (node: NodeProcess, key: string, body = 'x'): Promise<Answer> =>
    node.ask(kv('full', key), { method: 'PUT', body })

  await t.test('below its reserve a node takes no writes, and the others go on', async (t) => {
    const load = new Load({ nodes: [n1, n2], bucket: 'filling', seed: 7, workers: 4 })
    t.equal((await put(n3, 'before')).status, 204)
    disk.fill(BALLAST_MEBIBYTES)
    const refused = await until('the first refusal', async () => {
      const answer = await put(n3, 'during')
      return answer.status !== 204 && answer
    })
    const expected = { status: 503, code: 'SHOAL_STORAGE_FULL', retry: 'after' } as const
    checkProblem(t, refused, expected, 'a write through it')
    for (const key of ['during-1', 'during-2']) {
      const through = await put(n1, key)
      t.equal(through.status, 204, 'a write through another node')
      t.equal(receiptOf(through).ack, 2, 'which the full one does not acknowledge')
      t.equal((await n3.ask(kv('full', key))).text, 'x', 'and the full one still reads')
    }
    const all = await n1.ask(kv('full', 'all'), {
      method: 'PUT',
      body: 'x',
      headers: { Consistency: 'all' },
    })
    t.equal(all.status, 504, 'all cannot be had, and that is known only after sending')
    t.match(all.json(), { outcome: 'unknown', replicas: [{}, {}, {}] })
    t.match(all.text, /SHOAL_STORAGE_FULL/, 'and why')
    const health = (await n3.ask('/healthz')).json() as { warnings: string[] }
    t.match(health.warnings.join(), /disk/, 'the node says what is wrong')

    disk.empty()
    await until('writes again', async () => (await put(n3, 'after')).status === 204)
    await load.stop()
    t.same(load.unexpected, [], 'clients of the others saw nothing of it')
    const final = await readAll(n3, load)
    t.same(load.history.faults(final).slice(0, 5), [], 'nothing is lost')
  })

  await t.test('with not a byte left nothing acknowledged is lost', async (t) => {
    const key = await keyHeldBy(n3, 'full')
    const load = new Load({ nodes: cluster.nodes, bucket: 'brim', seed: 8, workers: 6 })
    await until('some writes', () => load.acknowledgements.length > 50)
    disk.fillUp()
    // It refuses in time, or the disk fails under it and it stops: both are allowed, a lie is not.
    const outcome = await until('a refusal or the end of the node', async () => {
      if (!n3.isAlive) return 'ended'
      const answer = await put(n3, key).catch(() => undefined)
      return answer !== undefined && answer.status !== 204 && 'refused'
    })
    t.comment(`the node has ${outcome}`)
    const { length } = load.acknowledgements
    await until('the others to go on', () => load.acknowledgements.length > length + 50)
    if (outcome === 'ended') t.not((await n3.ended).code, 0, 'it ended as failed')
    else await n3.kill()
    await load.stop()
    disk.empty()
    await cluster.start('n3')
    const final = await readAll(n3, load)
    t.same(load.unexpected.slice(0, 3), [])
    t.same(load.history.faults(final).slice(0, 5), [], 'nothing is lost')
  })
}
