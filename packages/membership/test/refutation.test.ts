import { nodeId } from '@shoal/kernel'
import t from 'tap'
import { headerOf } from '../src/core/state.ts'
import { only, Rig, updateFor } from './support/rig.ts'

const ofSelf = { run: 77, incarnation: 5 }

t.test('G2: a rumour of this node is contradicted by a higher incarnation', async (t) => {
  for (const state of ['suspect', 'dead', 'left'] as const) {
    const rig = new Rig({})
    const effects = rig.say(0, state, ofSelf)
    t.equal(rig.state.incarnation, 6)
    t.match(only(effects, 'refuted'), [{ said: state, incarnation: 6 }])
    t.equal(rig.state.health, state === 'left' ? 0 : 1, 'to be blamed is a sign')
    t.match([...rig.state.rumours.values()], [{ update: { node: 'n0', incarnation: 6 } }])
    t.equal(headerOf(rig.state).incarnation, 6)
    const told = only(rig.advanceAnswered(20), 'gossip')
    t.equal(told.length, 3, 'and told at once')
    t.match(told[0]?.updates, [{ node: 'n0', state: 'alive', incarnation: 6, run: 77 }])
  }
})

t.test('G2: an older rumour is answered by saying again what holds', async (t) => {
  const rig = new Rig({})
  rig.say(0, 'suspect', { run: 77, incarnation: 4 })
  t.equal(rig.state.incarnation, 5)
  t.match([...rig.state.rumours.values()], [{ update: { node: 'n0', state: 'alive' } }])
  t.equal(rig.state.health, 0)
  rig.say(0, 'alive', { run: 77, incarnation: 4 })
  rig.say(0, 'alive', ofSelf)
  t.equal(rig.state.incarnation, 5, 'what it said itself needs no contradiction')
})

t.test('G12: what others remember of the process before is overruled', async (t) => {
  const behind = new Rig({})
  behind.say(0, 'alive', { run: 66, incarnation: 1_000 })
  t.equal(behind.state.incarnation, 1_001)
  const even = new Rig({})
  even.say(0, 'alive', { run: 66, incarnation: 5 })
  t.equal(even.state.incarnation, 6, 'two runs with one incarnation')
  t.equal(even.state.health, 0)
})

t.test('G12: a newer run wins at once, one that is behind as soon as it is told', async (t) => {
  const rig = new Rig({})
  rig.say(1, 'dead', { incarnation: 1_000, from: 2 })
  const n1 = nodeId('n1')
  const ping = (incarnation: number) =>
    only(
      rig.step({ kind: 'pinged', from: n1, header: rig.header(1, { incarnation, run: 9 }) }),
      'answerPong',
    )
  t.match(ping(3), [{ updates: [{ node: 'n1', state: 'dead', incarnation: 1_000 }] }])
  t.equal(rig.peer(1).state, 'dead')
  ping(1_001)
  t.match(rig.peer(1), { state: 'alive', shown: 'alive', run: 9, incarnation: 1_001 })
})

t.test('G15: who leaves says so, answers on, and contradicts nobody', async (t) => {
  const rig = new Rig({})
  const told = only(rig.step({ kind: 'leaving' }), 'gossip')
  t.equal(told.length, 3)
  t.match(told[0]?.updates, [{ node: 'n0', state: 'left', incarnation: 5 }])
  rig.say(0, 'left', ofSelf)
  rig.say(0, 'dead', ofSelf)
  t.equal(rig.state.incarnation, 5)
  const asked = only(rig.advance(30_000), 'ping')
  t.same(asked, [], 'and asks nobody any more')
  rig.step({ kind: 'channelChanged', peer: nodeId('n1'), up: false })
  t.same(only(rig.effects, 'ping'), [])
  t.match(only(rig.step({ kind: 'pinged' }), 'answerPong'), [{ reached: true }])
  t.same(only(rig.step({ kind: 'leaving' }), 'gossip'), [], 'once')
})

t.test('G15: who leaves blames nobody for what it no longer waits for', async (t) => {
  const rig = new Rig({})
  rig.step({ kind: 'requestFailed', peer: nodeId('n1') })
  rig.step({ kind: 'leaving' })
  t.same(only(rig.advance(5_000), 'askRelay'), [])
  t.equal(rig.peer(1).state, 'alive')
})

t.test('strangers are nobody, whatever they say and whatever is said of them', async (t) => {
  const rig = new Rig({})
  const x = nodeId('x')
  rig.step({ kind: 'gossiped', from: x, header: rig.header(1), updates: [updateFor(1, 'dead')] })
  t.equal(rig.peer(1).state, 'dead', 'news are news')
  rig.step({ kind: 'noted', updates: [{ ...updateFor(1, 'dead'), node: x }] })
  for (const kind of ['channelChanged', 'requestFailed']) rig.step({ kind, peer: x, up: true })
  t.equal(rig.state.peers.has(x), false)
  t.equal(rig.state.rumours.has(x), false)
})
