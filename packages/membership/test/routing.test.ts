import { nodeId } from '@shoal/kernel'
import t from 'tap'
import { only, Rig } from './support/rig.ts'

const n1 = nodeId('n1')
const shown = (rig: Rig) => only(rig.effects, 'changed').map(({ node, before }) => [node, before])

t.test('G5: a member is not usable before it was reached', async (t) => {
  const rig = new Rig({ channels: false })
  t.equal(rig.peer(1).shown, 'suspect')
  rig.step({ kind: 'channelChanged', peer: n1, up: true })
  t.same(shown(rig), [['n1', 'suspect']])
  t.equal(rig.peer(1).shown, 'alive')
})

t.test('G5: a channel that falls makes routing avoid the member at once', async (t) => {
  const rig = new Rig({})
  rig.step({ kind: 'channelChanged', peer: n1, up: false })
  t.same(shown(rig), [['n1', 'alive']])
  t.equal(rig.peer(1).shown, 'suspect')
  t.equal(rig.peer(1).state, 'alive', 'the cluster is not told before others were asked')
  t.equal(rig.state.rumours.size, 0)
  rig.step({ kind: 'channelChanged', peer: n1, up: false })
  t.same(shown(rig), [], 'told once')
  rig.step({ kind: 'channelChanged', peer: n1, up: true })
  t.equal(rig.peer(1).shown, 'alive')
})

t.test('G5: so does a failed request, until the member answers this node itself', async (t) => {
  const rig = new Rig({})
  const [ping] = only(rig.step({ kind: 'requestFailed', peer: n1 }), 'ping')
  t.equal(rig.peer(1).shown, 'suspect')
  t.equal(ping?.to, 'n1', 'which it is asked at once')
  rig.step({ kind: 'pinged', from: n1, header: rig.header(1) })
  t.equal(rig.peer(1).shown, 'suspect', 'to be heard is not to answer')
  if (ping) rig.pong(ping)
  t.equal(rig.peer(1).shown, 'alive')
  rig.step({ kind: 'requestFailed', peer: n1 })
  rig.step({ kind: 'noted', from: n1, header: rig.header(1) })
  t.equal(rig.peer(1).shown, 'alive', 'any answer will do')
})

t.test('G5: so does a probe without an answer', async (t) => {
  const rig = new Rig({ nodes: 3 })
  while (rig.state.probes.size === 0) rig.advance(10)
  const [probe] = [...rig.state.probes.values()]
  rig.advance(480)
  t.equal(probe?.target.shown, 'alive')
  rig.advance(30)
  t.match(probe?.target, { state: 'alive', shown: 'suspect' })
})

t.test('a channel that is new is as good as an answer', async (t) => {
  const rig = new Rig({})
  rig.step({ kind: 'requestFailed', peer: n1 })
  rig.step({ kind: 'channelChanged', peer: n1, up: false })
  rig.step({ kind: 'channelChanged', peer: n1, up: true })
  t.equal(rig.peer(1).shown, 'alive')
})

t.test('who does not answer is asked again each second, not once in a round', async (t) => {
  const rig = new Rig({ nodes: 200 })
  rig.advanceAnswered(2_000)
  rig.step({ kind: 'requestFailed', peer: n1 })
  const asked: number[] = []
  rig.advance(6_000, (effect, at) => {
    if (effect.kind === 'ping') {
      if (effect.to === n1) asked.push(at)
      else rig.pong(effect)
    }
    if (effect.kind === 'askRelay') {
      const { sequence } = effect
      rig.step({ kind: 'ponged', from: effect.to, sequence, reached: true })
    }
  })
  t.ok(asked.length >= 4, `asked at ${asked}`)
  t.equal(rig.peer(1).state, 'alive', 'others reach it')
  t.equal(rig.peer(1).shown, 'suspect', 'this node does not')
})

t.test('where many do not answer, all of them are asked again, in turn', async (t) => {
  const rig = new Rig({ nodes: 200 })
  rig.advanceAnswered(2_000)
  const silent = Array.from({ length: 30 }, (_, index) => nodeId(`n${index + 1}`))
  for (const peer of silent) rig.step({ kind: 'requestFailed', peer })
  const asked: string[] = []
  rig.advance(14_000, (effect) => {
    const { sequence } = effect as { sequence: number }
    if (effect.kind === 'ping') {
      if (silent.includes(effect.to)) asked.push(effect.to)
      else rig.pong(effect)
    }
    if (effect.kind === 'askRelay') {
      rig.step({ kind: 'ponged', from: effect.to, sequence, reached: true })
    }
  })
  for (const id of silent) t.ok(asked.filter((each) => each === id).length >= 2, id)
})

t.test('the time since when a member is what it is, is that of the last change', async (t) => {
  const rig = new Rig({})
  rig.advanceAnswered(1_000)
  rig.step({ kind: 'channelChanged', peer: n1, up: false })
  t.equal(rig.peer(1).shownSince, 1_000)
  rig.advanceAnswered(500, [n1])
  rig.say(1, 'suspect')
  t.equal(rig.peer(1).shownSince, 1_000, 'suspect it was already')
  rig.say(1, 'dead')
  t.equal(rig.peer(1).shownSince, 1_500)
})
