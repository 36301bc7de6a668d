import { millis, minutes } from '@shoal/kernel'
import t from 'tap'
import { RequestMemory } from '../src/core/request-memory.ts'

const hash = (value: number): Buffer => {
  const bytes = Buffer.alloc(8)
  bytes.writeUInt32BE((value * 2_654_435_761) % 2 ** 32, 0)
  bytes.writeUInt32BE(value, 4)
  return bytes
}
const dot = (counter: number) => ({
  actor: Buffer.from('actor 01'),
  counter,
  content: 2n ** 63n + 1n,
})

t.test('a request is remembered with its dot, for its age and no longer (P8, V10)', async (t) => {
  const memory = new RequestMemory({ entries: 1_024, age: minutes(10) })
  memory.remember(hash(7), dot(2 ** 40 + 5), millis(0))
  t.match(memory.recall(hash(7), minutes(10)), { counter: 2 ** 40 + 5, content: 2n ** 63n + 1n })
  t.equal(memory.recall(hash(7), minutes(10))?.actor.toString(), 'actor 01')
  t.equal(memory.recall(hash(7), millis(600_001)), undefined)
  t.equal(memory.recall(hash(8), millis(0)), undefined)
})

t.test('the oldest of a set leaves first', async (t) => {
  const memory = new RequestMemory({ entries: 8, age: minutes(10) })
  for (let index = 1; index <= 9; index++) memory.remember(hash(index), dot(index), millis(index))
  t.equal(memory.recall(hash(1), millis(10)), undefined)
  for (let index = 2; index <= 9; index++) {
    t.equal(memory.recall(hash(index), millis(10))?.counter, index)
  }
})
