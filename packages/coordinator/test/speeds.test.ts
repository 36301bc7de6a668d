import { millis, nodeId } from '@shoal/kernel'
import t from 'tap'
import { Speeds } from '../src/speeds.ts'

const ada = nodeId('ada')
const bob = nodeId('bob')

function warm(): Speeds {
  const speeds = new Speeds()
  for (let read = 0; read < 200; read++) {
    speeds.began()
    speeds.answered(ada, millis(1))
    speeds.answered(bob, millis(3))
  }
  return speeds
}

t.test('the faster replica is asked first', async (t) => {
  const speeds = warm()
  t.ok(speeds.of(ada) < speeds.of(bob))
  t.equal(speeds.of(nodeId('new')), 0, 'and one that was never asked before all')
})

t.test('a replica that owes answers is soon asked last', async (t) => {
  const speeds = warm()
  for (let late = 0; late < 3; late++) speeds.failed(ada)
  t.ok(speeds.of(ada) > speeds.of(bob))
})

t.test('a replica that failed often is asked again after some thousand reads', async (t) => {
  const speeds = warm()
  for (let late = 0; late < 1_000; late++) speeds.failed(ada)
  let reads = 0
  while (speeds.of(ada) > speeds.of(bob) && reads < 100_000) {
    speeds.began()
    speeds.answered(bob, millis(3))
    reads++
  }
  t.ok(reads > 1_000 && reads < 10_000, `${reads} reads`)
})

t.test('hedges stay within a twentieth of the reads', async (t) => {
  const speeds = warm()
  let hedges = 0
  for (let read = 0; read < 1_000; read++) {
    speeds.began()
    if (speeds.mayHedge()) hedges++
  }
  t.ok(hedges <= 1_200 / 20, `${hedges} hedges`)
  t.equal(speeds.hedges, hedges)
})
