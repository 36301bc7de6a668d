/** Files of a node that change while it is down: a damaged copy is never an answer. */
import t, { type Test } from 'tap'
import { flipBits, storeFiles } from './support/flip-bits.ts'
import { keepAlive, kv } from './support/http.ts'
import { randomFrom } from './support/load.ts'
import type { NodeProcess } from './support/node-process.ts'
import { parseMetrics, sumOf } from './support/prometheus.ts'
import { RealCluster } from './support/real-cluster.ts'

const seed = Number(process.env.SHOAL_TEST_SEED ?? Math.floor(Math.random() * 1e6))
t.setTimeout(180_000)
t.comment(`seed ${seed}: SHOAL_TEST_SEED=${seed} damages the same places again`)

const KEYS = 100
const VALUE_BYTES = 4_000

const cluster = await RealCluster.start(t)
const [n1, n2, n3] = cluster.nodes as [NodeProcess, NodeProcess, NodeProcess]
const textOf = (key: number): string => `${key}:`.padEnd(VALUE_BYTES, String(key))
const random = randomFrom(seed)

const files = (): string[] => storeFiles(n3.plan.data)

const agent = keepAlive()
t.teardown(() => agent.destroy())

/** Ten at a time. */
async function forEachKey(work: (key: number) => Promise<void>): Promise<void> {
  for (let key = 0; key < KEYS; key += 10) {
    await Promise.all(Array.from({ length: 10 }, (_, index) => work(key + index)))
  }
}

async function writeAll(): Promise<void> {
  const headers = { Consistency: 'all' }
  await forEachKey(async (key) => {
    const question = { method: 'PUT', body: textOf(key), headers, agent }
    const put = await n1.ask(kv('damage', String(key)), question)
    if (put.status !== 204) throw new Error(put.text)
  })
}

async function wrongAnswers(node: NodeProcess, level: string): Promise<string[]> {
  const faults: string[] = []
  const headers = { Consistency: level }
  await forEachKey(async (key) => {
    const answer = await node.ask(kv('damage', String(key)), { headers, agent })
    const isRight = answer.status === 200 && answer.text === textOf(key)
    if (!isRight) faults.push(`${key}: ${answer.status} ${answer.text.slice(0, 200)}`)
  })
  return faults
}

/** @returns whether the node comes to serve; if not, it has said why and begun anew */
async function startDamaged(t: Test): Promise<boolean> {
  n3.launch()
  const serves = await n3.ready
  if (!serves) {
    const { code, signal } = await n3.ended
    // RocksDB itself may fall over what it reads, before it can be asked.
    if (signal !== null) t.comment(`the library ended the process: ${signal}`)
    else {
      t.equal(code, 5, 'it does not start')
      t.match(n3.log, /SHOAL_STORE_DAMAGED/, 'and says why')
    }
    t.same(await wrongAnswers(n1, 'quorum'), [], 'the others answer without it')
    n3.emptyData()
    await n3.start()
  }
  await cluster.settled()
  return serves
}

async function checkHealed(t: Test): Promise<void> {
  for (const node of [n1, n2, n3]) {
    t.same((await wrongAnswers(node, 'quorum')).slice(0, 5), [], `${node.id} answers right`)
  }
  t.same((await wrongAnswers(n3, 'all')).slice(0, 5), [], 'what was damaged is whole again')
}

t.test('every file damaged after a clean stop', async (t) => {
  await writeAll()
  await cluster.stop('n3')
  flipBits(files(), { flips: 20, random })
  await startDamaged(t)
  await checkHealed(t)
})

t.test('every file damaged after a crash', async (t) => {
  await writeAll()
  await cluster.kill('n3')
  flipBits(files(), { flips: 1, random })
  await startDamaged(t)
  await checkHealed(t)
})

t.test('values damaged, and nothing else', async (t) => {
  await cluster.kill('n3')
  n3.emptyData()
  await cluster.start('n3')
  await writeAll()
  // What a crash left in the log is in a table once the node has started again.
  await cluster.kill('n3')
  await cluster.start('n3')
  await cluster.stop('n3')
  flipBits(files().slice(0, 1), { flips: 10, random, share: 0.8 })
  t.ok(await startDamaged(t), 'it serves: other replicas have what it lost')
  await checkHealed(t)
  const metrics = parseMetrics((await n3.ask('/metrics')).text)
  t.ok(sumOf(metrics, 'shoal_replica_damaged_total') > 0, 'and counts what it found')
})
