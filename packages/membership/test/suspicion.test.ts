import { nodeId } from '@shoal/kernel'
import t from 'tap'
import { only, Rig, updateFor } from './support/rig.ts'

const n1 = nodeId('n1')
const witnessed = (...names: number[]) => ({ witnesses: names.map((name) => nodeId(`n${name}`)) })

/** When n1 is declared dead, everyone else answering. */
function declaredAt(rig: Rig, within = 100_000): number {
  const until = rig.now + within
  while (rig.peer(1).state !== 'dead' && rig.now < until) rig.advanceAnswered(100)
  return rig.now
}

/** Without regular probes of its own, which would make this node a witness. */
function watcher(): Rig {
  const rig = new Rig({})
  rig.state.due.probe = Number.POSITIVE_INFINITY
  return rig
}

t.test('G3: one witness alone takes six times as long as four', async (t) => {
  const times = [[2], [2, 3], [2, 3, 4], [2, 3, 4, 5]].map((names) => {
    const rig = watcher()
    rig.say(1, 'suspect', witnessed(...names))
    return declaredAt(rig)
  })
  t.same(times, [24_100, 14_100, 8_200, 4_100])
})

t.test('G3: witnesses that come later shorten the same term', async (t) => {
  const rig = watcher()
  rig.say(1, 'suspect', witnessed(2))
  rig.advanceAnswered(3_000)
  rig.say(1, 'suspect', witnessed(3))
  rig.say(1, 'suspect', witnessed(4, 2))
  t.equal(rig.peer(1).suspicion?.witnesses.size, 3)
  t.equal(declaredAt(rig), 8_200, 'counted from its beginning')
})

t.test('G3: the same witness again is no confirmation, and is not told again', async (t) => {
  const rig = watcher()
  rig.say(1, 'suspect', witnessed(2))
  rig.advance(20_000)
  t.equal(rig.state.rumours.size, 0, 'told enough')
  rig.say(1, 'suspect', witnessed(2))
  t.equal(rig.state.rumours.size, 0)
  rig.say(1, 'suspect', witnessed(2, 3))
  t.equal(rig.state.rumours.size, 1, 'a further witness is news')
})

t.test('G8: as many witnesses are kept as count', async (t) => {
  const rig = watcher()
  rig.say(1, 'suspect', witnessed(2, 3, 4, 5))
  rig.advance(3_900)
  t.equal(rig.state.rumours.size, 0)
  rig.say(1, 'suspect', witnessed(6, 7, 8))
  t.equal(rig.peer(1).suspicion?.witnesses.size, 4)
  t.equal(rig.state.rumours.size, 0)
})

t.test('a suspicion of our own confirms that of others', async (t) => {
  const rig = new Rig({})
  rig.say(1, 'suspect', witnessed(2))
  rig.step({ kind: 'requestFailed', peer: n1 })
  rig.advanceAnswered(1_010, [n1])
  t.same([...(rig.peer(1).suspicion?.witnesses ?? [])], ['n2', 'n0'])
})

t.test('G3: a contradiction ends the term', async (t) => {
  const rig = watcher()
  rig.say(1, 'suspect', witnessed(2, 3, 4, 5))
  rig.advance(3_900)
  rig.say(1, 'alive', { incarnation: 4 })
  rig.advance(30_000)
  t.equal(rig.peer(1).state, 'alive')
  t.equal(rig.peer(1).suspicion, undefined)
})

t.test('G1: news of before are passed over, and answered with what is known', async (t) => {
  const rig = watcher()
  rig.say(1, 'alive', { incarnation: 9 })
  const stale = rig.say(1, 'suspect', { incarnation: 8, from: 2 })
  t.equal(rig.peer(1).state, 'alive')
  t.match(only(stale, 'answerNoted'), [
    { updates: [{ node: 'n1', state: 'alive', incarnation: 9 }] },
  ])
})

t.test('the suspect itself is told whatever else is told to it', async (t) => {
  const rig = watcher()
  rig.say(1, 'suspect', { ...witnessed(2), from: 2 })
  const ping = { kind: 'pinged', from: n1, header: rig.header(1) }
  t.match(only(rig.step(ping), 'answerPong'), [{ updates: [{ node: 'n1', state: 'suspect' }] }])
  const gossip = { kind: 'gossiped', from: n1, header: rig.header(1) }
  t.match(only(rig.step(gossip), 'answerNoted'), [{ updates: [{ node: 'n1', state: 'suspect' }] }])
  rig.step({ kind: 'pinged', from: n1, header: rig.header(1, { incarnation: 4 }) })
  t.equal(rig.peer(1).state, 'alive', 'and its own word is believed')
})

t.test('G15: who has left is not suspected, and is not alive again by rumours', async (t) => {
  const rig = new Rig({})
  rig.say(1, 'left')
  t.equal(rig.peer(1).shown, 'left')
  for (const state of ['alive', 'suspect', 'dead'] as const) rig.say(1, state)
  t.equal(rig.peer(1).state, 'left')
  rig.advanceAnswered(60_000, [n1])
  t.equal(rig.peer(1).state, 'left')
  rig.say(1, 'alive', { incarnation: 4 })
  t.equal(rig.peer(1).shown, 'alive')
})

t.test('G9: one thought dead is asked now and then whether it is', async (t) => {
  const rig = watcher()
  rig.say(1, 'dead', { from: 2 })
  const knocks = only(rig.advance(60_000), 'ping').filter(({ to }) => to === 'n1')
  t.ok(knocks.length >= 11 && knocks.length <= 13, `${knocks.length} in a minute`)
  t.match(knocks[0]?.updates[0], { node: 'n1', state: 'dead' }, 'and told what is thought of it')
  t.equal(rig.peer(1).state, 'dead', 'silence means nothing more')
  t.equal(rig.state.health, 0)
})

t.test('G9: a channel to one thought dead is reason to ask it at once', async (t) => {
  const rig = watcher()
  rig.step({ kind: 'channelChanged', peer: n1, up: false })
  rig.say(1, 'dead', { from: 2 })
  rig.advance(2_000)
  const asked = only(rig.step({ kind: 'channelChanged', peer: n1, up: true }), 'ping')
  rig.state.due.compare = Number.POSITIVE_INFINITY
  t.match(asked, [{ to: 'n1', updates: [{ node: 'n1', state: 'dead' }] }])
  if (asked[0]) {
    const header = rig.header(1, { incarnation: 4 })
    rig.step({ kind: 'ponged', from: n1, sequence: asked[0].sequence, reached: true, header })
  }
  t.equal(rig.peer(1).shown, 'alive')
  t.ok(rig.state.due.compare <= rig.now + 1_000, 'and all that is known is compared soon')
})

t.test('an incarnation that leaves no room to contradict is not believed', async (t) => {
  const rig = watcher()
  rig.step({
    kind: 'noted',
    from: nodeId('n2'),
    updates: [updateFor(1, 'dead', { incarnation: Number.MAX_SAFE_INTEGER })],
  })
  t.equal(rig.peer(1).state, 'alive')
  rig.step({
    kind: 'noted',
    from: nodeId('n2'),
    updates: [updateFor(0, 'dead', { incarnation: Number.MAX_SAFE_INTEGER })],
  })
  t.equal(rig.state.incarnation, 5)
})
