import { createTestEnv, millis, nodeId, type Partition, type TestEnv } from '@shoal/kernel'
import { createMemoryStore } from '@shoal/storage'
import t from 'tap'
import { ScrubRounds } from '../src/shell/scrub-rounds.ts'
import type { Scrubber, ScrubReport } from '../src/shell/scrubber.ts'

const nothing: ScrubReport = {
  ...{ rows: 0, tombstones: 0, wrong: 0, corrected: 0 },
  ...{ damaged: 0, healed: 0, unreadable: 0, busy: 0 },
}

const PARTITION = 3 as Partition

function roundsWith(
  env: TestEnv,
  scrubber: Partial<Scrubber>,
  { holds, interval }: { holds: readonly Partition[]; interval: number },
): ScrubRounds {
  return new ScrubRounds({
    env,
    store: createMemoryStore(env),
    placement: () => ({
      self: nodeId('n1'),
      partitions: 8,
      preferenceList: () => [nodeId('n1')],
      partitionsOf: () => holds,
    }),
    scrubber: scrubber as Scrubber,
    budget: { paused: false, take: () => Promise.resolve() },
    interval: millis(interval),
  })
}

t.test('X30: a scrub that fails does not begin again while the node halts', async (t) => {
  const env = createTestEnv()
  let scrubs = 0
  const scrubber: Pick<Scrubber, 'scrub'> = {
    scrub: () => {
      scrubs++
      return Promise.reject(new Error('the disk is gone'))
    },
  }
  const rounds = roundsWith(env, scrubber, { holds: [PARTITION], interval: 1 })
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

t.test(
  'a segment that cannot be read is not checked over and over by its own check (E4)',
  async (t) => {
    const env = createTestEnv()
    let checks = 0
    let unreadable = 1
    const scrubber: Pick<Scrubber, 'checkSegments'> = {
      checkSegments: async (partition, segments) => {
        checks++
        // Its exchanges find the same segment unreadable, and say so.
        rounds.doubt(partition, segments)
        return { ...nothing, unreadable }
      },
    }
    const rounds = roundsWith(env, scrubber, { holds: [], interval: 60_000 })
    const pass = async (time: number): Promise<void> => {
      for (let at = 0; at < time; at += 500) {
        env.advance(millis(500))
        for (let hop = 0; hop < 20; hop++) await Promise.resolve()
      }
    }
    rounds.start()
    rounds.doubt(PARTITION, [7])
    await pass(5_000)
    t.equal(checks, 1)
    await pass(6_000)
    unreadable = 0
    rounds.doubt(PARTITION, [7])
    await pass(1_000)
    t.equal(checks, 2, 'later it is, for somebody may have it by now')
    rounds.doubt(PARTITION, [7])
    await pass(1_000)
    t.equal(checks, 3, 'and at once where it could be read')
    rounds.stop()
  },
)
