import { millis, type ShoalError } from '@shoal/kernel'
import t from 'tap'
import type { ListAnswer } from '../src/requests.ts'
import { failed, succeeded, TestCluster } from './support/cluster.ts'

/** One node with 60 deleted keys, which make the pages of a listing short. */
async function deletedKeys(beforePage: (cluster: TestCluster) => Promise<void>) {
  const cluster = await TestCluster.start(1)
  for (let index = 0; index < 60; index++) {
    succeeded(await cluster.put('n1', `key ${index}`, 'value'))
    succeeded(await cluster.delete('n1', `key ${index}`))
  }
  const { env } = cluster
  const { store, coordinator } = cluster.node('n1')
  const scan = store.scan.bind(store)
  let pages = 0
  Object.assign(store, {
    scan: async (range: Parameters<typeof scan>[0]) => {
      pages++
      await beforePage(cluster)
      return scan(range)
    },
  })
  const list = async (timeout: number, { timers = true } = {}) => {
    const began = env.clock.elapsed()
    let answer: ListAnswer | ShoalError | undefined
    const keep = (given: ListAnswer | ShoalError): void => {
      answer = given
    }
    const request = { bucket: 'b', prefix: '', after: '', limit: 1, timeout: millis(timeout) }
    coordinator.list(request).then(keep, keep)
    for (let hop = 0; hop < 5_000 && !answer; hop++) await Promise.resolve()
    if (timers) await cluster.until(() => answer !== undefined)
    const ended = answer as unknown as ListAnswer | ShoalError
    return { answer: ended, took: env.clock.elapsed() - began, pages }
  }
  return { cluster, list }
}

const timedOut = { code: 'SHOAL_QUORUM_TIMEOUT', outcome: 'not-applied' }

t.test('a listing ends by its deadline, however slow the own disk is (O2)', async (t) => {
  const { list } = await deletedKeys(
    ({ env }) => new Promise((resolve) => env.clock.after(millis(10_000), resolve)),
  )
  const { answer, took } = await list(1_000)
  t.match(failed(answer), { ...timedOut, details: { replicas: [{ node: 'n1' }] } })
  t.ok(took < 1_100, `${took} ms`)
})

t.test('a listing of many short pages ends by its deadline, without a timer (O2)', async (t) => {
  let passed = 0
  // A process under load: time passes, and no timer has its turn.
  const { cluster, list } = await deletedKeys(async () => {
    passed += 5
  })
  const { clock } = cluster.env
  const elapsed = clock.elapsed.bind(clock)
  Object.assign(clock, { elapsed: () => millis(elapsed() + passed) })
  const { answer, pages } = await list(100, { timers: false })
  t.match(failed(answer), timedOut)
  t.equal(pages, 20)
  t.match(succeeded((await list(10_000)).answer), { keys: [], more: false }, 'given time, it ends')
})
