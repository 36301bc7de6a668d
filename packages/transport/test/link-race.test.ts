import { createSeededRandom, type Millis } from '@shoal/kernel'
import fc from 'fast-check'
import t from 'tap'
import {
  firstLinkState,
  isUp,
  type LinkEffect,
  type LinkEvent,
  type LinkState,
  stepLink,
} from '../src/core/link.ts'

/**
 * Two link machines and the messages between them, delivered in every order that connections allow.
 * Holds TL1, TL2, TL3, TL4 and TL6 of SPEC.md.
 */
const seed = Number(process.env.SHOAL_SEED ?? 20_071_014)
t.comment(`seed ${seed}`)

type Word = 'open' | 'hello' | 'ready' | 'end' | 'ping' | 'pong'

interface Sent {
  readonly word: Word
  readonly last: string
}

/** One connection: who dialled, what is on its way to either node, which ends still know of it. */
interface Wire {
  readonly id: number
  readonly dialler: 0 | 1
  readonly runs: readonly [string, string]
  readonly inbox: [Sent[], Sent[]]
  readonly known: [boolean, boolean]
  /** Messages no longer travel; ends find out one by one, by silence. */
  dead: boolean
}

class World {
  readonly states: [LinkState, LinkState] = [firstLinkState, firstLinkState]
  readonly ups: [number, number] = [0, 0]
  readonly downs: [number, number] = [0, 0]
  readonly wires: Wire[] = []
  readonly #random: (bound: number) => number
  readonly #runs: [string, string] = ['run of 0', 'run of 1']
  readonly #timers: [Set<'retryDue' | 'contestDue'>, Set<'retryDue' | 'contestDue'>] = [
    new Set(),
    new Set(),
  ]
  #restarts = 0

  constructor(seed: string) {
    const random = createSeededRandom(seed)
    this.#random = (bound) => random.below(bound)
    this.#feed(0, { kind: 'started', connection: this.#fresh(0) })
    this.#feed(1, { kind: 'started', connection: this.#fresh(1) })
  }

  /** Does one thing that can happen now. @returns whether there was one */
  step(): boolean {
    const choices = [...this.#deliveries(), ...this.#alarms()]
    const choice = choices[this.#random(Math.max(choices.length, 1))]
    choice?.()
    return choice !== undefined
  }

  /** Breaks a connection without telling either end, or restarts a node. */
  hurt(): void {
    const living = this.wires.filter(({ dead, known }) => !dead && known[0] && known[1])
    const wire = living[this.#random(Math.max(living.length, 1))]
    if (this.#random(4) === 0) this.#restart(this.#random(2) as 0 | 1)
    else if (wire) wire.dead = true
  }

  channelOf(node: 0 | 1): number | undefined {
    const state = this.states[node]
    return 'connection' in state && isUp(state) ? state.connection : undefined
  }

  #deliveries(): (() => void)[] {
    return this.wires.flatMap((wire) =>
      ([0, 1] as const).flatMap((to) => {
        if (wire.dead || wire.inbox[to].length === 0) return []
        return [() => this.#deliver(wire, to, wire.inbox[to].shift() as Sent)]
      }),
    )
  }

  #alarms(): (() => void)[] {
    return ([0, 1] as const).flatMap((node) => [
      ...[...this.#timers[node]].map((kind) => () => {
        this.#timers[node].delete(kind)
        this.#feed(node, kind === 'retryDue' ? { kind, connection: this.#fresh(node) } : { kind })
      }),
      // Silence, or the deadline of a handshake.
      ...this.wires
        .filter(({ dead, known }) => dead && known[node])
        .map((wire) => () => this.#lose(wire, node)),
    ])
  }

  #deliver(wire: Wire, to: 0 | 1, { word, last }: Sent): void {
    if (!wire.known[to]) return
    const from = (1 - to) as 0 | 1
    const candidate = { connection: wire.id, run: wire.runs[from], channel: `${wire.id}` }
    const dialled = wire.dialler === to
    if (word === 'end') this.#lose(wire, to)
    else if (word === 'open') this.#send(wire, to, 'hello')
    else if (word === 'hello') this.#feed(to, { kind: 'reached', ...candidate })
    else if (word === 'ping') this.#send(wire, to, 'pong')
    else if (word === 'pong') this.#feed(to, { kind: 'answered', connection: wire.id })
    else if (dialled) this.#feed(to, { kind: 'agreed', ...candidate })
    else this.#feed(to, { kind: 'offered', ...candidate, lastChannel: last })
  }

  #lose(wire: Wire, node: 0 | 1): void {
    wire.known[node] = false
    const lasted = 0 as Millis
    this.#feed(node, { kind: 'closed', connection: wire.id, reason: 'lost', lasted })
  }

  #restart(node: 0 | 1): void {
    this.#runs[node] = `run ${++this.#restarts} of ${node}`
    this.states[node] = firstLinkState
    this.#timers[node].clear()
    this.ups[node] = this.downs[node] = 0
    for (const wire of this.wires) {
      wire.known[node] = false
      wire.dead = true
    }
    this.#feed(node, { kind: 'started', connection: this.#fresh(node) })
  }

  #feed(node: 0 | 1, event: LinkEvent): void {
    const { state, effects } = stepLink(node === 0, this.states[node], event)
    this.states[node] = state
    for (const effect of effects) this.#perform(node, effect)
  }

  #perform(node: 0 | 1, effect: LinkEffect): void {
    const wire = 'connection' in effect ? this.wires[effect.connection] : undefined
    switch (effect.kind) {
      case 'dial':
        return this.#send(wire, node, 'open')
      case 'offer':
        return this.#send(wire, node, 'ready', effect.lastChannel)
      case 'accept':
        return this.#send(wire, node, 'ready')
      case 'probe':
        this.#timers[node].add('contestDue')
        return this.#send(wire, node, 'ping')
      case 'refuse':
      case 'close':
        if (!wire?.known[node]) return
        this.#send(wire, node, 'end')
        wire.known[node] = false
        return
      case 'up':
        if (this.ups[node]++ !== this.downs[node]) throw new Error(`${node} went up twice`)
        if (!wire?.known[node]) throw new Error(`${node} went up on a closed connection`)
        return
      case 'down':
        if (++this.downs[node] !== this.ups[node]) throw new Error(`${node} went down twice`)
        return
      case 'wait':
        this.#timers[node].add('retryDue')
        return
      case 'cancelWait':
        this.#timers[node].delete('retryDue')
        return
      case 'cancelProbe':
        this.#timers[node].delete('contestDue')
        return
    }
  }

  #send(wire: Wire | undefined, from: 0 | 1, word: Word, last = ''): void {
    if (wire?.known[from]) wire.inbox[1 - from]?.push({ word, last })
  }

  #fresh(dialler: 0 | 1): number {
    const id = this.wires.length
    this.wires.push({
      id,
      dialler,
      runs: [...this.#runs],
      inbox: [[], []],
      known: [true, true],
      dead: false,
    })
    return id
  }
}

/** Both are up on one connection, and no other is left at either end. */
function settled(world: World): boolean {
  const channel = world.channelOf(0)
  if (channel === undefined || world.channelOf(1) !== channel) return false
  return world.wires.every(
    ({ id, known, inbox }) =>
      id === channel ||
      // An end that the other has refused before it was ever offered knows of nothing.
      !(known[0] && known[1]) ||
      inbox.every((words) => words.length === 0),
  )
}

t.test('TL1 two nodes that dial each other end with one channel, and never flap', (t) => {
  let runs = 0
  fc.assert(
    fc.property(fc.nat(), (run) => {
      runs++
      const world = new World(`calm ${run}`)
      for (let steps = 0; world.step(); steps++) if (steps > 1_000) return false
      const calm = [...world.ups, ...world.downs].join() === '1,1,0,0'
      return calm && settled(world)
    }),
    { seed, numRuns: 5_000 },
  )
  t.ok(runs >= 5_000)
  t.end()
})

t.test('TL2 whatever connections are lost, the two find each other again', (t) => {
  let runs = 0
  fc.assert(
    fc.property(fc.nat(), fc.integer({ min: 1, max: 20 }), (run, wounds) => {
      runs++
      const world = new World(`rough ${run}`)
      for (let wound = 0; wound < wounds; wound++) {
        for (let steps = 0; steps < run % 17; steps++) world.step()
        world.hurt()
      }
      for (let steps = 0; world.step(); steps++) if (steps > 5_000) return false
      return settled(world)
    }),
    { seed, numRuns: 5_000 },
  )
  t.ok(runs >= 5_000)
  t.end()
})
