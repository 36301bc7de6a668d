/** Nodes that are killed, frozen and started again while clients read and write. */
import { performance } from 'node:perf_hooks'
import t, { type Test } from 'tap'
import { kv } from './support/http.ts'
import { explanationOf } from './support/kv-answers.ts'
import { type Acknowledgement, Load, readAll } from './support/load.ts'
import type { NodeProcess } from './support/node-process.ts'
import { RealCluster } from './support/real-cluster.ts'
import { until } from './support/until.ts'

/** Seconds of load in which a node is killed and started again three times; 60 in the long run. */
const LOAD_MS = Number(process.env.SHOAL_TEST_LOAD_SECONDS ?? 12) * 1_000
const FROZEN_MS = 10_000
const seed = Number(process.env.SHOAL_TEST_SEED ?? Math.floor(Math.random() * 1e6))

t.setTimeout(6 * LOAD_MS + 240_000)
t.comment(`seed ${seed}: SHOAL_TEST_SEED=${seed} chooses the same operations again`)

// Few partitions, so that many keys share the counters of one and a dot used again would show.
const cluster = await RealCluster.start(t, { partitions: 8 })
const nodes = cluster.nodes as [NodeProcess, NodeProcess, NodeProcess]

/** Until so many more writes have been acknowledged. */
async function moreAcknowledged(load: Load, count: number): Promise<void> {
  const wanted = load.acknowledgements.length + count
  await until(`${count} more acknowledged writes`, () => load.acknowledgements.length >= wanted)
}

/** Ends the load, brings all replicas together, and judges everything that was seen. */
async function judge(t: Test, load: Load): Promise<void> {
  await load.stop()
  await cluster.settled()
  const statuses = [...load.statuses].map(([status, count]) => `${status}: ${count}`).join(', ')
  t.comment(`${load.history.acknowledged} acknowledged; answers by status: ${statuses}`)
  t.same(load.unexpected.slice(0, 5), [], 'every refusal is one that may be, no 500 among them')
  const final = await readAll(nodes[0], load)
  for (const node of nodes.slice(1)) {
    const other = await readAll(node, load)
    t.same([...other], [...final], `${node.id} shows what ${nodes[0].id} shows`)
  }
  t.same(load.history.faults(final).slice(0, 10), [], 'nothing lost, stale, back or invented')
  await checkCopies(t, load)
}

/** All replicas hold the same dots, and no dot stands under two keys. */
async function checkCopies(t: Test, load: Load): Promise<void> {
  const keyOfDot = new Map<string, string>()
  const faults: string[] = []
  for (const key of load.keys) {
    const path = kv(load.bucket, key).replace('/kv/', '/explain/')
    const { holders } = explanationOf(await nodes[0].ask(path))
    const copies = new Set(holders.map(({ dots }) => [...dots].sort().join()))
    if (copies.size !== 1) faults.push(`${key}: copies differ: ${[...copies].join(' | ')}`)
    for (const dot of holders[0]?.dots ?? []) {
      const other = keyOfDot.get(dot)
      if (other !== undefined) faults.push(`dot ${dot} stands under ${other} and ${key}`)
      keyOfDot.set(dot, key)
    }
  }
  t.same(faults, [], 'all copies are equal and no dot was used twice')
}

/** A receipt may only name replicas that could answer. */
function checkReceipts(
  t: Test,
  acknowledgements: readonly Acknowledgement[],
  outages: readonly { from: number; to: number }[],
): void {
  const faults = acknowledgements.flatMap(({ start, end, receipt, through }) => {
    const { n, need, ack, primaries, fallbacks, durable, node } = receipt as Record<string, number>
    const within = outages.some(({ from, to }) => start > from && end < to)
    const most = within ? 2 : 3
    const holds =
      n === 3 &&
      need === 2 &&
      Number(ack) >= 2 &&
      Number(ack) <= most &&
      ack === Number(primaries) + Number(fallbacks) &&
      fallbacks === 0 &&
      Number(durable) >= 2 &&
      Number(durable) <= Number(ack) &&
      String(node) === through
    return holds ? [] : [`${JSON.stringify(receipt)} through ${through}, outage: ${within}`]
  })
  t.same(faults.slice(0, 5), [], `${acknowledgements.length} receipts are truthful`)
  const during = acknowledgements.filter(({ start, end }) =>
    outages.some(({ from, to }) => start > from && end < to),
  )
  t.ok(during.length > 0, `${during.length} writes were acknowledged while a node was away`)
}

t.test('a node killed and started again three times under load', async (t) => {
  const load = new Load({ nodes, bucket: 'kills', seed })
  const outages: { from: number; to: number }[] = []
  const began = performance.now()
  await moreAcknowledged(load, 50)
  for (const [round, node] of nodes.entries()) {
    const due = began + (LOAD_MS * round) / 3
    await until(`round ${round}`, () => performance.now() >= due, LOAD_MS + 10_000)
    await node.kill()
    await moreAcknowledged(load, 100)
    outages.push({ from: node.exitedAt, to: performance.now() })
    await cluster.start(node.id)
    await moreAcknowledged(load, 100)
  }
  await until('the end of the load', () => performance.now() >= began + LOAD_MS, LOAD_MS + 10_000)
  await judge(t, load)
  checkReceipts(t, load.acknowledgements, outages)
})

t.test('all nodes killed at once under load: what was acknowledged is there', async (t) => {
  // Counters that a clean stop has kept must not be believed after a crash.
  for (const { id } of nodes) {
    await cluster.stop(id)
    await cluster.start(id)
  }
  const load = new Load({ nodes, bucket: 'crash', seed: seed + 1, workers: 12 })
  await moreAcknowledged(load, 300)
  await Promise.all(nodes.map((node) => node.kill()))
  await cluster.start(...nodes.map(({ id }) => id))
  await moreAcknowledged(load, 300)
  await judge(t, load)
})

t.test('a node frozen for ten seconds: the others go on, and it comes back', async (t) => {
  const [frozen, ...others] = nodes
  const load = new Load({ nodes: others, bucket: 'frozen', seed: seed + 9 })
  await moreAcknowledged(load, 20)
  const from = performance.now()
  const before = load.acknowledgements.length
  frozen.freeze()
  await until('ten seconds', () => performance.now() >= from + FROZEN_MS, FROZEN_MS + 10_000)
  const during = load.acknowledgements.slice(before)
  const ends = [from, ...during.map(({ end }) => end), performance.now()]
  const gap = Math.max(...ends.slice(1).map((end, at) => end - (ends[at] ?? end)))
  t.ok(during.length > 100, `${during.length} writes went on`)
  t.ok(gap < 3_000, `the longest wait for the next one was ${Math.round(gap)} ms`)
  const health = (await others[0]?.ask('/healthz'))?.json() as Record<string, unknown>
  t.match(health, { status: 'degraded', nodesUp: 2 }, 'the others know that it is away')

  frozen.thaw()
  await cluster.settled()
  const put = await frozen.ask(kv('frozen', 'after'), { method: 'PUT', body: 'back' })
  t.equal(put.status, 204, 'it serves again')
  await moreAcknowledged(load, 20)
  await judge(t, load)
})
