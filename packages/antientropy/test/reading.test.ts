import { createTestEnv, limits, nodeId, type Partition } from '@shoal/kernel'
import { makeRowKey, partitionOfRowKey, segmentOfRowKey } from '@shoal/ring'
import t from 'tap'
import type { RunVerdict } from '../src/core/segment-check.ts'
import type { AntiEntropyEvent } from '../src/index.ts'
import { KeyLister } from '../src/shell/key-lister.ts'
import { type Run, runsOf, segmentsOf } from '../src/shell/row-pages.ts'
import { Scrubber } from '../src/shell/scrubber.ts'
import { TestCluster } from './support/cluster.ts'

const P = 1 as Partition
const every = Array.from({ length: limits.digestSegments }, (_none, segment) => segment)

t.test('neighbouring segments are read in one go', async (t) => {
  t.same(runsOf([1, 2, 3, 7, 9, 10]), [
    { from: 1, to: 4 },
    { from: 7, to: 8 },
    { from: 9, to: 11 },
  ])
  t.same(runsOf([]), [])
  t.same(segmentsOf({ from: 7, to: 9 }), [7, 8])
})

async function filled(count: number, bytes = 1) {
  const cluster = await TestCluster.start({ nodes: 1, idle: true })
  const rowKeys: Buffer[] = []
  const writes: Promise<unknown>[] = []
  for (let index = 0; rowKeys.length < count; index++) {
    const rowKey = makeRowKey('b', `key ${index}`)
    if (partitionOfRowKey(rowKey, 8) !== P) continue
    rowKeys.push(rowKey)
    writes.push(cluster.putSoon('n1', `key ${index}`, 'v'.repeat(bytes)))
  }
  await cluster.settled(Promise.all(writes))
  const { store, disk, local: replica } = cluster.node('n1')
  const lister = new KeyLister({ env: createTestEnv(), store, replica, partitions: 8 })
  return { lister, disk, rowKeys: rowKeys.sort(Buffer.compare) }
}

t.test('X10: what a page gave before the disk failed is not listed twice', async (t) => {
  const { lister, disk, rowKeys } = await filled(1_200)
  const lost = rowKeys[1_100] as Buffer
  disk.failRead('rows', lost, 'SHOAL_ROW_DAMAGED')
  const list = await lister.list({ partition: P, segments: every })
  const segment = segmentOfRowKey(lost, 8)
  t.same(list.unreadable, [segment])
  const expected = rowKeys.filter((rowKey) => segmentOfRowKey(rowKey, 8) !== segment)
  t.same(
    list.entries.map(({ rowKey }) => rowKey.toString('hex')),
    expected.map((rowKey) => rowKey.toString('hex')),
  )
  t.ok(list.finished)
})

t.test('X13: a page is bounded by the bytes read for it', async (t) => {
  const { lister, rowKeys } = await filled(12, 400_000)
  const list = await lister.list({ partition: P, segments: every })
  t.notOk(list.finished)
  t.equal(list.entries.length, Math.ceil(limits.exchangePageBytes / 400_000))
  const rest = await lister.list({
    ...{ partition: P, segments: every },
    after: list.entries.at(-1)?.rowKey,
  })
  t.ok(rest.entries[0]?.rowKey.equals(rowKeys[list.entries.length] as Buffer))
})

t.test('a failing disk is no empty list', async (t) => {
  const { lister, disk, rowKeys } = await filled(3)
  disk.failRead('rows', rowKeys[1] as Buffer, 'SHOAL_STORE_FAILED')
  await t.rejects(lister.list({ partition: P, segments: every }), { code: 'SHOAL_STORE_FAILED' })
})

const quiet: RunVerdict = {
  wrong: [],
  moving: [],
  findings: [],
  more: false,
  rows: 0,
  tombstones: 0,
}

function scrubberOf(check: (run: Run) => RunVerdict | undefined) {
  const events: AntiEntropyEvent[] = []
  const healed: string[] = []
  const corrected: number[] = []
  const self = nodeId('n1')
  const scrubber = new Scrubber({
    replica: {
      correctDigests: async (_partition: Partition, wrong: readonly { segment: number }[]) => {
        corrected.push(...wrong.map(({ segment }) => segment))
        return wrong.length
      },
      countedTombstones: () => undefined,
    } as never,
    peers: { isUp: () => true, ask: () => undefined },
    placement: () => ({
      ...{ self, partitions: 8 },
      preferenceList: () => [self],
      partitionsOf: () => [P],
    }),
    checker: { check: async (_partition, run) => check(run) },
    healer: {
      heal: async (rowKey) => {
        healed.push(rowKey.toString())
        return rowKey.toString() !== 'hopeless'
      },
    },
    exchange: () => Promise.reject(new Error('there is no peer')),
    tell: (event) => void events.push(event),
    lost: () => undefined,
  })
  return { scrubber, events, healed, corrected }
}

t.test('X6: a segment that was written to is looked at again, alone', async (t) => {
  const rowKey = Buffer.from('k')
  const looks: Run[] = []
  const { scrubber, healed } = scrubberOf((run) => {
    if (run.from === 64 && run.to === 96) return { ...quiet, moving: [70, 71], rows: 10 }
    if (run.to - run.from > 1) return quiet
    looks.push(run)
    if (run.from === 71) return { ...quiet, moving: [71] }
    if (looks.length < 3) return { ...quiet, moving: [70], rows: 1 }
    return { ...quiet, findings: [{ segment: 70, rowKey, kind: 'row' }], rows: 1 }
  })
  const report = await scrubber.scrub(P)
  t.same(healed, ['k'])
  t.match(report, { rows: 10, damaged: 1, healed: 1, busy: 1 })
  t.equal(looks.filter(({ from }) => from === 70).length, 3)
  t.equal(looks.filter(({ from }) => from === 71).length, 4, 'left to the next scrub in the end')
})

t.test('X7: digests are put right before rows are merged anew', async (t) => {
  const finding = { segment: 3, rowKey: Buffer.from('hopeless'), kind: 'row' } as const
  const { scrubber, corrected, events } = scrubberOf((run) =>
    run.from === 0
      ? { ...quiet, wrong: [{ segment: 3, kept: 1n, rebuilt: 2n }], findings: [finding] }
      : quiet,
  )
  t.match(await scrubber.scrub(P), { wrong: 1, corrected: 1, damaged: 1, healed: 0 })
  t.same(corrected, [3])
  t.same(
    events.map(({ kind }) => kind),
    ['digestWrong', 'rowDamaged', 'scrubEnded'],
  )
})

t.test('scrubs of two partitions come one after the other, and stop when told', async (t) => {
  let checks = 0
  const { scrubber } = scrubberOf(() => {
    checks++
    if (checks === 40) scrubber.stop()
    return quiet
  })
  await Promise.all([scrubber.scrub(P), scrubber.scrub(2 as Partition)])
  t.equal(checks, 40)
})
