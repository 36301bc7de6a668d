import assert from 'node:assert/strict'
import { createSeededRandom, nodeId } from '@shoal/kernel'
import { type MemberUpdate, memberStates } from '@shoal/wire'
import fc from 'fast-check'
import t from 'tap'
import type { SwimEffect, SwimEvent, SwimMember } from '../src/core/events.ts'
import { defaultSettings } from '../src/core/settings.ts'
import { headerOf, knowledgeOf, type SwimState } from '../src/core/state.ts'
import { createSwim, stepSwim } from '../src/core/swim.ts'
import { digestOf, updateOf } from '../src/core/updates.ts'
import { members, only, Rig, ring, seed, updateFor } from './support/rig.ts'

t.comment(`seed ${seed}`)

t.test('the first channel is reason to compare soon, then at long intervals', async (t) => {
  const rig = new Rig({ channels: false })
  t.same(only(rig.advanceAnswered(5_000), 'compare'), [])
  rig.step({ kind: 'channelChanged', peer: nodeId('n4'), up: true })
  const first = only(rig.advanceAnswered(1_001), 'compare')
  t.match(first, [{ to: 'n4' }])
  rig.step({ kind: 'compared', from: nodeId('n4'), same: true, last: true })
  t.equal(rig.state.comparison, undefined)
  t.same(only(rig.advanceAnswered(28_000), 'compare'), [])
  t.equal(only(rig.advanceAnswered(2_000), 'compare').length, 1)
})

t.test('a comparison that fails or stays open hinders no later one', async (t) => {
  const rig = new Rig({})
  const [first] = only(rig.advanceAnswered(1_001), 'compare')
  rig.step({ kind: 'compareFailed', from: nodeId('nobody') })
  t.not(rig.state.comparison, undefined)
  rig.step({ kind: 'compareFailed', from: first?.to })
  t.equal(rig.state.comparison, undefined)
  t.equal(only(rig.advanceAnswered(30_001), 'compare').length, 1)
  t.equal(only(rig.advanceAnswered(30_001), 'compare').length, 1, 'the last was never answered')
})

t.test('G8: what is told in a comparison comes in parts of bounded size', async (t) => {
  const rig = new Rig({ nodes: 201 })
  for (let index = 1; index < 201; index++) rig.say(index, 'alive', { from: index })
  const asked = { kind: 'compareAsked', from: nodeId('n1'), digest: '0'.repeat(16) }
  const [answer] = only(rig.step(asked), 'answerParts')
  t.same(
    answer?.parts.map(({ length }) => length),
    [64, 64, 64, 9],
  )
  const digest = digestOf(knowledgeOf(rig.state))
  t.equal(only(rig.step({ ...asked, digest }), 'answerSame').length, 1)
})

t.test('who was heard for the first time is known, but no news', async (t) => {
  const rig = new Rig({})
  rig.step({ kind: 'pinged', from: nodeId('n3'), header: rig.header(3) })
  t.equal(rig.peer(3).incarnation, 3)
  t.equal(rig.state.rumours.size, 0)
  rig.step({ kind: 'pinged', from: nodeId('n3'), header: rig.header(3, { incarnation: 4 }) })
  t.equal(rig.state.rumours.size, 1, 'that it is a new run, or contradicts, is')
})

t.test('nor is what turned out in a comparison, but for states', async (t) => {
  const rig = new Rig({})
  const from = nodeId('n4')
  const updates = [updateFor(1, 'alive'), updateFor(2, 'alive')]
  rig.advanceAnswered(2_000)
  rig.step({ kind: 'compared', from, updates: updates.slice(0, 1), same: false, last: false })
  rig.step({ kind: 'gossiped', from, updates: updates.slice(1), missing: true })
  t.equal(rig.peer(1).incarnation, 3)
  t.equal(rig.peer(2).incarnation, 3)
  t.equal(rig.state.rumours.size, 0)
  rig.step({ kind: 'gossiped', from, updates: [updateFor(3, 'alive')] })
  rig.step({ kind: 'compared', from, updates: [updateFor(2, 'dead')], same: false, last: true })
  t.same([...rig.state.rumours.keys()], ['n3', 'n2'])
})

t.test('G8: however much there is to say, a message holds so much', async (t) => {
  const rig = new Rig({ nodes: 201 })
  for (let index = 1; index < 201; index++) rig.say(index, 'suspect', { from: index })
  const stale = Array.from({ length: 64 }, (_, index) => updateFor(index + 100, 'alive'))
  const from = nodeId('n7')
  const ping = { kind: 'pinged', from, updates: stale }
  const [pong] = only(rig.step(ping), 'answerPong')
  t.equal(pong?.updates.length, 64)
  t.match(pong?.updates[0], { node: 'n7', state: 'suspect' }, 'what is thought of it, first')
  t.match(pong?.updates[1], { node: 'n100', state: 'suspect' }, 'then what it has wrong')
  const some = only(rig.step({ ...ping, updates: stale.slice(0, 3) }), 'answerPong')
  const names = some[0]?.updates.map(({ node }) => node) ?? []
  t.ok(names.length >= 60 && names.length <= 64, 'filled up with rumours')
  t.equal(new Set(names).size, names.length, 'each said once')
  const [noted] = only(rig.step({ ...ping, kind: 'gossiped' }), 'answerNoted')
  t.equal(noted?.updates.length, 64)
})

function create(index: number, all: readonly SwimMember[]): SwimState {
  return createSwim({
    self: all[index] as SwimMember,
    members: all,
    ring,
    run: 100 + index,
    incarnation: 3,
    random: createSeededRandom(`${seed} ${index}`),
    settings: defaultSettings,
    elapsed: 0,
  })
}

/** Carries messages between two machines until nothing is left to say; others are not there. */
function converse(machines: Map<string, SwimState>, first: string, effects: readonly SwimEffect[]) {
  const waiting = effects.map((effect) => ({ from: first, effect }))
  let spent = 0
  const questions = new Map<number, string>()
  for (let next = waiting.shift(); next; next = waiting.shift()) {
    assert.ok(++spent < 1_000, 'a conversation ends')
    const { from, effect } = next
    const said = { from: nodeId(from), header: headerOf(machines.get(from) as SwimState) }
    const tell = (to: string, event: object): void => {
      const machine = machines.get(to)
      if (machine === undefined) return
      const step = stepSwim(machine, 0, { ...said, updates: [], ...event } as unknown as SwimEvent)
      waiting.push(...step.map((each) => ({ from: to, effect: each })))
    }
    const asks = (to: string, event: object): void => {
      questions.set(spent, from)
      tell(to, { ...event, question: spent })
    }
    const answers = (question: number, event: object): void =>
      tell(questions.get(question) ?? '', event)
    switch (effect.kind) {
      case 'compare':
        asks(effect.to, { ...effect, kind: 'compareAsked' })
        break
      case 'gossip':
        asks(effect.to, { ...effect, kind: 'gossiped' })
        break
      case 'answerNoted':
        answers(effect.question, { ...effect, kind: 'noted' })
        break
      case 'answerSame':
        answers(effect.question, { kind: 'compared', same: true, last: true })
        break
      case 'answerParts':
        for (const [index, updates] of effect.parts.entries()) {
          const last = index === effect.parts.length - 1
          answers(effect.question, { kind: 'compared', same: false, updates, last })
        }
        break
      default:
    }
  }
}

const updates: fc.Arbitrary<MemberUpdate[]> = fc.array(
  fc
    .record({
      node: fc.nat(80).map((index) => nodeId(`n${index}`)),
      state: fc.constantFrom(...memberStates),
      incarnation: fc.nat(6),
      run: fc.nat(200),
    })
    .map(({ node, ...what }) => updateOf(node, what, [nodeId('n2')])),
  { maxLength: 64 },
)

t.test('G10: two nodes that compare know the same afterwards', async (t) => {
  const all = members(81)
  const property = fc.property(updates, updates, (toOne, toOther) => {
    const machines = new Map([
      ['n0', create(0, all)],
      ['n1', create(1, all)],
    ])
    const [one, other] = [...machines.values()] as [SwimState, SwimState]
    const heard = (state: SwimState, told: readonly MemberUpdate[]): void => {
      const header = { incarnation: 0, run: 0, ring }
      const from = nodeId('n2')
      const event = { kind: 'noted', from, header, updates: told } as const
      stepSwim(state, 0, event)
    }
    heard(one, toOne)
    heard(other, toOther)
    stepSwim(one, 0, { kind: 'channelChanged', peer: nodeId('n1'), up: true })
    one.due.compare = 0
    // Where it is thought dead, one of the others is asked: this is about the two.
    const peer = one.peers.get(nodeId('n1'))
    if (peer) peer.shown = 'alive'
    one.wakeAt = 0
    converse(machines, 'n0', stepSwim(one, 0, { kind: 'woke' }))
    // What each was told of itself it has contradicted, and said so with its next message.
    one.due.compare = 0
    one.wakeAt = 0
    converse(machines, 'n0', stepSwim(one, 0, { kind: 'woke' }))
    assert.deepEqual(
      [...knowledgeOf(one)].map(comparable).sort(),
      [...knowledgeOf(other)].map(comparable).sort(),
    )
    assert.equal(digestOf(knowledgeOf(one)), digestOf(knowledgeOf(other)))
  })
  t.doesNotThrow(() => fc.assert(property, { seed, numRuns: 300 }))
})

const comparable = ({ node, state, incarnation, run }: MemberUpdate): string =>
  `${node} ${state} ${incarnation} ${run}`
