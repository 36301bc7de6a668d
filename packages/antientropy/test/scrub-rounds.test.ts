import { createTestEnv, millis, nodeId, type Partition } from '@shoal/kernel'
import { createMemoryStore } from '@shoal/storage'
import t from 'tap'
import { ScrubRounds } from '../src/shell/scrub-rounds.ts'
import type { Scrubber } from '../src/shell/scrubber.ts'

t.test('X30: a scrub that fails does not begin again while the node halts', async (t) => {
  const env = createTestEnv()
  let scrubs = 0
  const scrubber: Pick<Scrubber, 'scrub'> = {
    scrub: () => {
      scrubs++
      return Promise.reject(new Error('the disk is gone'))
    },
  }
  const rounds = new ScrubRounds({
    env,
    store: createMemoryStore(env),
    placement: () => ({
      self: nodeId('n1'),
      partitions: 8,
      preferenceList: () => [nodeId('n1')],
      partitionsOf: () => [3 as Partition],
    }),
    scrubber: scrubber as Scrubber,
    budget: { paused: false, take: () => Promise.resolve() },
    interval: millis(1),
  })
  rounds.start()
  env.advance(millis(10))
  // A halt takes its time: what is due stays due, without a timer between.
  for (let hop = 0; hop < 200; hop++) await Promise.resolve()
  t.match(env.halted, { message: 'the disk is gone' })
  env.advance(millis(60_000))
  for (let hop = 0; hop < 200; hop++) await Promise.resolve()
  t.equal(scrubs, 1)
  rounds.stop()
})
