import { nodeId } from '@shoal/kernel'
import t from 'tap'
import { only, Rig } from './support/rig.ts'

const n1 = nodeId('n1')
const witnesses = [2, 3, 4, 5].map((name) => nodeId(`n${name}`))

t.test('G7: time that this process stood still is held against nobody', async (t) => {
  const rig = new Rig({})
  rig.say(1, 'suspect', { witnesses, from: 2 })
  rig.advanceAnswered(2_000)
  rig.now += 60_000
  rig.step({ kind: 'woke' })
  t.equal(rig.peer(1).state, 'suspect', 'its term has two seconds left')
  t.ok(rig.state.health >= 1, 'a late timer is a sign')
  rig.say(1, 'alive', { incarnation: 4, from: 2 })
  rig.advanceAnswered(10_000)
  t.equal(rig.peer(1).state, 'alive')
})

t.test('G7: what waited in the sockets is read before anybody is judged', async (t) => {
  const rig = new Rig({})
  rig.say(1, 'suspect', { witnesses, from: 2 })
  const term = rig.peer(1).suspicion?.until ?? 0
  rig.advanceAnswered(term - rig.now - 1)
  rig.now += 2_000
  rig.step({ kind: 'woke' })
  t.equal(rig.peer(1).state, 'suspect', 'due, and put off a little')
  rig.advanceAnswered(200)
  t.equal(rig.peer(1).state, 'suspect')
  rig.advanceAnswered(200)
  t.equal(rig.peer(1).state, 'dead')
})

t.test('G7: a probe is not lost to a pause between question and answer', async (t) => {
  const rig = new Rig({})
  const [ping] = only(rig.step({ kind: 'requestFailed', peer: n1 }), 'ping')
  rig.now += 5_000
  t.same(only(rig.step({ kind: 'woke' }), 'askRelay'), [])
  if (ping) rig.pong(ping)
  rig.advanceAnswered(2_000)
  t.equal(rig.peer(1).state, 'alive')
})

t.test('G7: a process that is always late is patient, but still judges', async (t) => {
  const rig = new Rig({ nodes: 3 })
  rig.say(1, 'suspect', { witnesses: [nodeId('n2')], from: 2 })
  for (let round = 0; round < 200 && rig.peer(1).state !== 'dead'; round++) {
    rig.now += 700
    for (const ping of only(rig.step({ kind: 'woke' }), 'ping'))
      if (ping.to === 'n2') rig.pong(ping)
  }
  t.equal(rig.peer(1).state, 'dead')
  t.ok(rig.now > 5_000 && rig.now < 60_000, `after ${rig.now} ms`)
})

t.test('what begins long after it could have is not late', async (t) => {
  const rig = new Rig({})
  rig.advanceAnswered(60_000)
  rig.say(1, 'dead', { from: 2 })
  rig.advanceAnswered(1_000, [n1])
  t.equal(rig.state.stood, 0)
})

t.test('timers that are a little late are the rule, and no sign', async (t) => {
  const rig = new Rig({})
  for (let round = 0; round < 100; round++) {
    rig.now += 240
    for (const ping of only(rig.step({ kind: 'woke' }), 'ping')) rig.pong(ping)
  }
  t.equal(rig.state.health, 0)
  t.equal(rig.state.stood, 0)
})

t.test('a message that comes long after the timer was due shows a standstill too', async (t) => {
  const rig = new Rig({})
  rig.say(1, 'suspect', { witnesses, from: 2 })
  rig.now += 10_000
  rig.say(2, 'alive')
  t.equal(rig.peer(1).state, 'suspect')
  t.ok(rig.state.stood > 8_000)
})
