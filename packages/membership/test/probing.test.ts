import { nodeId } from '@shoal/kernel'
import t from 'tap'
import type { SwimEffect } from '../src/core/events.ts'
import { only, Rig } from './support/rig.ts'

const n1 = nodeId('n1')

t.test('everyone is probed once in each round, in another order each time', async (t) => {
  const rig = new Rig({ nodes: 10 })
  rig.advanceAnswered(1_000)
  const rounds = [0, 1, 2].map(() => {
    const asked = only(rig.advanceAnswered(9_000), 'ping').map(({ to }) => to)
    return asked
  })
  const all = [...rounds.flat()].sort()
  t.equal(all.length, 27, 'one probe a second')
  // Rounds do not begin with our window: of 27 probes in a row nobody has fewer than two.
  for (let index = 1; index < 10; index++) {
    const count = all.filter((id) => id === `n${index}`).length
    t.ok(count >= 2 && count <= 4, `n${index} was probed ${count} times`)
  }
  t.not(rounds[0]?.join(), rounds[1]?.join())
})

t.test('G4: who does not answer is asked through relays in different zones', async (t) => {
  for (let seed = 1; seed <= 20; seed++) {
    const rig = new Rig({ nodes: 30, zones: 5, seed })
    const first: SwimEffect[] = []
    while (only(first, 'ping').length === 0) first.push(...rig.advance(10))
    const [ping] = only(first, 'ping')
    t.same(only(rig.advance(480), 'askRelay'), [])
    const asked = only(rig.advance(22), 'askRelay')
    t.equal(asked.length, 3)
    t.ok(asked.every(({ target, to }) => target === ping?.to && to !== ping?.to))
    t.equal(new Set(asked.map(({ to }) => rig.state.peers.get(to)?.zone)).size, 3)
    t.ok(asked.every(({ timeout }) => timeout > 400 && timeout <= 500))
  }
})

t.test('relays are nodes that this one hears; where zones are few they share them', async (t) => {
  const rig = new Rig({ nodes: 10, zones: 1, channels: false })
  for (const index of [1, 2, 3, 4]) {
    rig.step({ kind: 'channelChanged', peer: nodeId(`n${index}`), up: true })
  }
  rig.step({ kind: 'requestFailed', peer: nodeId('n4') })
  const [ping] = only(rig.effects, 'ping')
  t.equal(ping?.to, 'n4', 'who failed a request is probed at once')
  const refused = rig.step({ kind: 'unanswered', from: nodeId('n4'), sequence: ping?.sequence })
  t.same(
    only(refused, 'askRelay')
      .map(({ to }) => to)
      .sort(),
    ['n1', 'n2', 'n3'],
  )
})

/** Probes n1 at once, the question to itself refused. */
function refusedProbe(rig: Rig) {
  const [ping] = only(rig.step({ kind: 'channelChanged', peer: n1, up: false }), 'ping')
  const sequence = ping?.sequence
  const effects = rig.step({ kind: 'unanswered', from: n1, sequence })
  return { sequence, relays: only(effects, 'askRelay').map(({ to }) => to) }
}

t.test(
  'G4: refused by the target and by all relays, it is suspected without waiting',
  async (t) => {
    const rig = new Rig({})
    const { sequence, relays } = refusedProbe(rig)
    t.equal(relays.length, 3)
    for (const [index, from] of relays.entries()) {
      t.equal(rig.peer(1).state, 'alive', `${index} nacks are not all`)
      rig.step({ kind: 'ponged', from, sequence, reached: false })
    }
    t.equal(rig.peer(1).state, 'suspect')
    t.same([...(rig.peer(1).suspicion?.witnesses ?? [])], ['n0'])
    t.equal(rig.state.health, 1, 'a failed probe; no nack is missing')
  },
)

t.test('G4: one relay that reaches it is enough, and this node still avoids it', async (t) => {
  const rig = new Rig({})
  const { sequence, relays } = refusedProbe(rig)
  rig.step({ kind: 'ponged', from: relays[0], sequence, reached: false })
  rig.step({ kind: 'ponged', from: relays[1], sequence, reached: true })
  rig.step({ kind: 'ponged', from: relays[2], sequence, reached: false })
  t.equal(rig.state.probes.has(Number(sequence)), false)
  t.equal(rig.peer(1).state, 'alive')
  t.equal(rig.peer(1).shown, 'suspect')
})

t.test('a late answer counts as long as the probe lasts', async (t) => {
  const rig = new Rig({})
  const [ping] = only(rig.step({ kind: 'requestFailed', peer: n1 }), 'ping')
  rig.advanceAnswered(600, [n1])
  t.equal(rig.peer(1).shown, 'suspect')
  if (ping) rig.pong(ping)
  t.equal(rig.peer(1).shown, 'alive')
  rig.advanceAnswered(100, [n1])
  t.equal(rig.peer(1).state, 'alive')
  t.equal(rig.state.probes.has(ping?.sequence ?? 0), false, 'that probe is over')
})

t.test('a failed probe counts, and once more where nacks are missing', async (t) => {
  const rig = new Rig({})
  const { sequence, relays } = refusedProbe(rig)
  const [first, second, third] = relays
  rig.step({ kind: 'ponged', from: first, sequence, reached: false })
  rig.step({ kind: 'unanswered', from: second, sequence })
  t.equal(rig.state.health, 0)
  rig.step({ kind: 'unanswered', from: third, sequence })
  t.equal(rig.peer(1).state, 'suspect')
  t.equal(rig.state.health, 2)
})

t.test('missing nacks are held against this node, and make it more patient', async (t) => {
  const rig = new Rig({})
  rig.step({ kind: 'requestFailed', peer: n1 })
  rig.advanceAnswered(1_010, [n1])
  t.equal(rig.peer(1).state, 'suspect')
  t.ok(rig.state.health >= 1, 'a failed probe and missing nacks, less what was answered')
  rig.state.health = 3
  const [probe] = only(rig.step({ kind: 'requestFailed', peer: nodeId('n2') }), 'ping')
  t.equal(probe?.timeout, 4_000)
  const asked = (by: number) =>
    only(rig.advanceAnswered(by, [nodeId('n2')]), 'askRelay').filter(
      ({ target }) => target === 'n2',
    )
  t.equal(asked(1_990).length, 0)
  t.equal(asked(20).length, 3)
})

t.test('health has bounds', async (t) => {
  const rig = new Rig({ nodes: 30 })
  rig.advance(60_000)
  t.equal(rig.state.health, 7, 'nobody answers')
  const well = new Rig({})
  well.advanceAnswered(10_000)
  t.equal(well.state.health, 0)
})

t.test('what it has said meanwhile is not doubted for an older silence', async (t) => {
  const rig = new Rig({})
  rig.say(1, 'alive')
  const { sequence, relays } = refusedProbe(rig)
  rig.say(1, 'alive', { incarnation: 4 })
  for (const from of relays) rig.step({ kind: 'ponged', from, sequence, reached: false })
  t.equal(rig.peer(1).state, 'alive')
})

t.test('G8: only so many probes are under way; the others wait for their turn', async (t) => {
  const rig = new Rig({ nodes: 100 })
  rig.advanceAnswered(2_000)
  const asked = new Set<string>()
  for (let index = 1; index < 60; index++) {
    const peer = nodeId(`n${index}`)
    for (const { to } of only(rig.step({ kind: 'channelChanged', peer, up: false }), 'ping')) {
      asked.add(to)
    }
  }
  t.ok(rig.state.probes.size <= 8, `${rig.state.probes.size} probes`)
  rig.advance(150_000, (effect) => {
    t.ok(rig.state.probes.size <= 9)
    if (effect.kind !== 'ping') return
    asked.add(effect.to)
    if (Number(effect.to.slice(1)) >= 60) rig.pong(effect)
  })
  for (let index = 1; index < 60; index++) t.ok(asked.has(`n${index}`))
})

t.test('G6: a relay asks for another and tells what came of it', async (t) => {
  const rig = new Rig({})
  const ask = { kind: 'relayAsked', from: n1, target: nodeId('n2'), timeout: 500, question: 9 }
  const [ping] = only(rig.step(ask), 'ping')
  t.match(ping, { to: 'n2', timeout: 400 })
  if (ping) rig.pong(ping)
  t.match(only(rig.effects, 'answerPong'), [{ question: 9, reached: true }])
  t.equal(rig.state.relayed.size, 0)
})

t.test('G6: a relay that hears nothing says so before its time is over', async (t) => {
  const rig = new Rig({})
  const ask = { kind: 'relayAsked', from: n1, target: nodeId('n2'), timeout: 500, question: 9 }
  rig.step(ask)
  const answers: number[] = []
  const silent = [nodeId('n2')]
  rig.advance(1_000, (effect, at) => {
    if (effect.kind === 'answerPong') answers.push(effect.reached ? -1 : at)
    if (effect.kind === 'ping' && !silent.includes(effect.to)) rig.pong(effect)
  })
  t.ok(answers.length === 1 && (answers[0] ?? 999) <= 402, `${answers}`)
  const [ping] = only(rig.step({ ...ask, question: 10 }), 'ping')
  rig.step({ kind: 'unanswered', from: nodeId('n2'), sequence: ping?.sequence })
  t.match(only(rig.effects, 'answerPong'), [{ question: 10, reached: false }], 'refused: at once')
})

t.test('G6: a relay without room, or asked for a stranger, says so at once', async (t) => {
  const rig = new Rig({ settings: { probesRelayed: 1 } })
  const ask = { kind: 'relayAsked', from: n1, target: nodeId('n2'), timeout: 500 }
  rig.step({ ...ask, question: 1 })
  const pongs = (event: object) => only(rig.step({ ...ask, ...event }), 'answerPong')
  t.match(pongs({ question: 2 }), [{ question: 2, reached: false }])
  t.match(pongs({ question: 3, target: nodeId('x') }), [{ question: 3, reached: false }])
  t.match(pongs({ question: 4, target: nodeId('n0') }), [{ question: 4, reached: true }])
})

t.test('who answers a probe with something else lives', async (t) => {
  const rig = new Rig({})
  const [ping] = only(rig.step({ kind: 'requestFailed', peer: n1 }), 'ping')
  t.equal(rig.peer(1).shown, 'suspect')
  rig.step({ kind: 'answeredBadly', from: n1, sequence: ping?.sequence })
  t.equal(rig.peer(1).shown, 'alive')
  t.equal(rig.state.probes.size, 0)
})

t.test('a node alone probes nobody and stays as it is', async (t) => {
  const rig = new Rig({ nodes: 1 })
  t.same(rig.advance(60_000), [])
  t.equal(rig.state.health, 0)
})
