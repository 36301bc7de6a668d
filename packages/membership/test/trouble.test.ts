import assert from 'node:assert/strict'
import { createSeededRandom, limits } from '@shoal/kernel'
import t from 'tap'
import { type SimNode, World } from '../bench/world.ts'
import { compareSaid, type Said } from '../src/core/updates.ts'
import { bytesOf } from './support/encode.ts'
import { seed } from './support/rig.ts'

t.comment(`seed ${seed}`)

/** The largest message that `gossipUpdatesMax` allows, with the shortest names it is far less. */
const MESSAGE_BYTES_MAX = 24_000
const TROUBLE_MS = 120_000
const PEACE_MS = 90_000

/** Everything at once, for two minutes; then peace. */
function makeTrouble(world: World, label: string): void {
  const random = createSeededRandom(label)
  const any = (): SimNode => world.nodes[random.below(world.nodes.length)] as SimNode
  world.loss = random.below(30) / 100
  for (let fault = 0; fault < 60; fault++) {
    world.at(random.below(TROUBLE_MS), () => {
      const node = any()
      const kind = random.below(6)
      if (kind === 0 && node.up) world.stall(node, random.below(20_000))
      else if (kind === 1 && node.up) world.crash(node, { told: random.below(2) === 0 })
      else if (kind === 2 && !node.up) world.restart(node, 1 + random.below(3))
      else if (kind === 3) world.heal()
      else if (kind === 4) world.cut(node, any())
      else if (kind === 5) partition(world, random.below(2 ** world.nodes.length))
    })
  }
  world.run(TROUBLE_MS)
}

function partition(world: World, sides: number): void {
  const side = ({ index }: SimNode): number => (sides >> index) & 1
  for (const one of world.nodes) {
    for (const other of world.nodes) if (side(one) !== side(other)) world.cut(one, other)
  }
}

/** Watches all steps: what is believed never goes back, and what is kept stays within bounds. */
function watch(): (node: SimNode) => void {
  const last = new Map<object, Map<string, Said>>()
  return ({ swim }) => {
    const before = last.get(swim) ?? new Map<string, Said>()
    last.set(swim, before)
    for (const { id, state, incarnation, run } of swim.peers.values()) {
      const now = { state, incarnation, run }
      const then = before.get(id)
      if (then) assert.ok(compareSaid(now, then) >= 0, `G1: ${id} went back`)
      before.set(id, now)
    }
    assert.ok(swim.probes.size <= limits.probesInFlightMax + 1)
    assert.ok(swim.relayed.size <= limits.probesRelayedMax)
    assert.ok(swim.rumours.size <= swim.peers.size + 1)
    assert.ok(swim.health >= 0 && swim.health <= 7)
  }
}

for (let round = 0; round < 12; round++) {
  const label = `trouble ${seed} ${round}`
  t.test(`G9: after any trouble the living are alive to all, ${label}`, async (t) => {
    const nodes = 3 + (round % 7)
    const world = new World({
      nodes,
      seed: seed + round,
      sent: (message) => {
        assert.ok(message.event.updates.length <= limits.gossipUpdatesMax, 'G8: bounded')
        assert.ok(bytesOf(message) <= MESSAGE_BYTES_MAX, 'G8: bounded')
      },
      stepped: watch(),
    })
    makeTrouble(world, label)
    world.loss = 0.01
    world.heal()
    const peaceful = (): boolean =>
      world.nodes.every((one) => !one.up || world.nodes.every((other) => isRight(one, other)))
    t.ok(world.runUntil(peaceful, world.now + PEACE_MS), 'within 90 s')
    t.comment(`peace after ${world.now - TROUBLE_MS} ms`)
    // A lost probe makes its sender avoid a member for a second: not here.
    world.loss = 0
    world.run(world.now + 60_000)
    t.ok(peaceful(), 'and so it stays')
  })
}

/** What one thinks of another is so: who is up is usable, who is down is declared dead. */
function isRight(one: SimNode, other: SimNode): boolean {
  const peer = one.swim.peers.get(other.member.id)
  return peer === undefined || (other.up ? peer.shown === 'alive' : peer.state === 'dead')
}

t.test('G9: two halves that were apart for a minute find together again', async (t) => {
  const world = new World({ nodes: 40, seed })
  world.run(5_000)
  const right = (): boolean => world.nodes.every((one) => world.nodes.every((o) => isRight(one, o)))
  for (const one of world.nodes) {
    for (const other of world.nodes) if (one.index % 2 !== other.index % 2) world.cut(one, other)
  }
  world.run(65_000)
  const [one, two] = world.nodes as [SimNode, SimNode]
  t.equal(world.thinks(one, two), 'dead')
  world.heal()
  const healed = world.now
  t.ok(world.runUntil(right, healed + 60_000), 'within a minute, without any channel that fell')
  t.comment(`all alive to all after ${world.now - healed} ms`)
})

t.test('the same seed gives the same world', async (t) => {
  const run = (): string => {
    const steps: unknown[] = []
    const world = new World({
      nodes: 6,
      seed,
      loss: 0.05,
      stepped: ({ index }, effects) => {
        steps.push([index, effects.map(({ kind }) => kind).join()])
      },
    })
    makeTrouble(world, `same ${seed}`)
    return JSON.stringify([steps, world.messages, world.events])
  }
  t.equal(run(), run())
})
