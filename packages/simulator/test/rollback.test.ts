import { createTestEnv } from '@shoal/kernel'
import t from 'tap'
import { chooseRollback } from '../src/cluster/disk-faults.ts'
import { CLEAN_STOP_AGE_MAX, type Machine } from '../src/cluster/machine.ts'

const NOW = 1_000_000
const MARKER = 'clean-shutdown'

type Batch = Machine['disk']['history'][number]

function batch(key: string, value: Buffer | undefined): Batch {
  return { operations: [{ column: 'meta', key, value }], replaced: [undefined] }
}

function stoppedAt(time: number): Batch {
  const marker = Buffer.alloc(9)
  marker.writeDoubleBE(time, 1)
  return batch(MARKER, marker)
}

const write = batch('something', Buffer.of(1))
const start = batch(MARKER, undefined)

/** All the numbers of batches that chance may leave on a disk with this history. */
function choices(history: readonly Batch[], wallError = 0): ReadonlySet<number> {
  const machine = { disk: { history }, clock: { wall: () => NOW, wallError } } as unknown as Machine
  const random = createTestEnv({ seed: 3 }).random('rollback')
  const draws = Array.from({ length: 500 }, () => history.length - chooseRollback(machine, random))
  return new Set(draws)
}

t.test(
  'a disk is put back to a moment after a stop only once that stop proves nothing',
  async (t) => {
    const old = NOW - CLEAN_STOP_AGE_MAX
    t.same([...choices([write, stoppedAt(old), start, write])].sort(), [0, 1, 2, 3])
    t.same([...choices([write, stoppedAt(old + 1), start, write])].sort(), [0, 1, 3])
    t.same(
      [...choices([write, stoppedAt(old), start, write], 10)].sort(),
      [0, 1, 3],
      'nor when that is so for a clock that is fast',
    )
    t.same([...choices([])], [0])
  },
)
