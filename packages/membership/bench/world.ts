import { createSeededRandom, invariant, type NodeId, nodeId, type Random } from '@shoal/kernel'
import type { MemberState } from '@shoal/wire'
import type { SwimEffect, SwimEvent, SwimMember } from '../src/core/events.ts'
import { defaultSettings, type SwimSettings } from '../src/core/settings.ts'
import { headerOf, type SwimState } from '../src/core/state.ts'
import { createSwim, stepSwim, wakeAfter } from '../src/core/swim.ts'
import { Agenda } from './agenda.ts'
import { answersOf, questionOf, type Sent } from './letters.ts'

/**
 * Many machines on one virtual clock, without drivers, codecs or sockets: messages are objects that
 * arrive late or not at all, processes stand still, end and come back. A thousand nodes fit into
 * one process.
 */
export interface WorldOptions {
  readonly nodes: number
  readonly seed: number
  readonly zones?: number
  /** Of all messages, answers included. */
  readonly loss?: number
  /** Each way, in milliseconds. */
  readonly delay?: readonly [least: number, most: number]
  readonly settings?: SwimSettings
  /** Looks at each message. */
  readonly sent?: (message: Message) => void
  /** Looks at each step. */
  readonly stepped?: (node: SimNode, effects: readonly SwimEffect[]) => void
}

export interface SimNode {
  readonly index: number
  readonly member: SwimMember
  swim: SwimState
  up: boolean
  run: number
  /** Until then the process stands still. */
  stalledUntil: number
  /** What came while it stood still. */
  readonly inbox: Message[]
  /** When its timer fires next. */
  timer: number
  questions: number
  readonly asked: Map<number, Question>
}

interface Question {
  readonly from: SimNode
  readonly sequence: number
}

/** Between two processes; `run` is that of the receiver when it was sent. */
export interface Message {
  readonly from: SimNode
  readonly to: SimNode
  readonly run: number
  readonly event: Sent
}

const TIMER = 0
const MESSAGE = 1
const CALL = 2

export class World {
  readonly nodes: readonly SimNode[]
  readonly random: Random
  readonly #options: WorldOptions
  readonly #settings: SwimSettings
  readonly #agenda = new Agenda<SimNode | Message | (() => void)>()
  readonly #members: readonly SwimMember[]
  readonly #cuts = new Map<SimNode, Set<SimNode>>()
  loss: number
  now = 0
  events = 0
  messages = 0

  constructor(options: WorldOptions) {
    const { nodes, seed, zones = 3 } = options
    this.#options = options
    this.#settings = options.settings ?? defaultSettings
    this.loss = options.loss ?? 0
    this.random = createSeededRandom(`world ${seed}`)
    this.#members = Array.from({ length: nodes }, (_, index) => ({
      id: nodeId(`n${index}`),
      zone: zones === 0 ? '' : `z${index % zones}`,
      host: '',
    }))
    this.nodes = this.#members.map((member, index) => ({
      ...{ index, member, run: 1, up: true, stalledUntil: 0, inbox: [], timer: 0, questions: 0 },
      swim: this.#createSwim(member, 1),
      asked: new Map(),
    }))
    for (const node of this.nodes) this.#connect(node)
    for (const node of this.nodes) this.#setTimer(node)
  }

  node(id: NodeId): SimNode {
    const node = this.nodes[Number(id.slice(1))]
    invariant(node !== undefined, 'the node is one of this world', () => id)
    return node
  }

  /** What one node thinks of another. */
  thinks(one: SimNode, other: SimNode): MemberState | undefined {
    return one.swim.peers.get(other.member.id)?.state
  }

  at(time: number, work: () => void): void {
    this.#agenda.add(time, CALL, work)
  }

  after(delay: number, work: () => void): void {
    this.at(this.now + delay, work)
  }

  run(until: number): void {
    const agenda = this.#agenda
    for (let time = agenda.next; time <= until; time = agenda.next) {
      this.now = time
      this.events++
      const { kind, item } = agenda.take()
      if (kind === TIMER) this.#wake(item as SimNode)
      else if (kind === MESSAGE) this.#arrive(item as Message)
      else (item as () => void)()
    }
    this.now = until
  }

  /** Runs until a condition holds after some event. @returns whether it ever did */
  runUntil(holds: () => boolean, until: number, every = 50): boolean {
    while (!holds()) {
      if (this.now >= until) return false
      this.run(Math.min(until, this.now + every))
    }
    return true
  }

  step(node: SimNode, event: SwimEvent): void {
    if (!node.up) return
    const effects = stepSwim(node.swim, this.now, event)
    this.#options.stepped?.(node, effects)
    for (const effect of effects) this.#perform(node, effect)
    this.#setTimer(node)
  }

  /** The process stands still; what comes to it waits. */
  stall(node: SimNode, lasts: number): void {
    node.stalledUntil = Math.max(node.stalledUntil, this.now + lasts)
    this.at(node.stalledUntil, () => this.#resume(node))
  }

  /** @param told  its peers see their channels fall at once, as when a process is killed */
  crash(node: SimNode, { told }: { told: boolean }): void {
    node.up = false
    node.inbox.length = 0
    if (told) this.#changeChannels(node, false)
  }

  /** A new process with the id of one that ended, and with nothing but its configuration. */
  restart(node: SimNode, incarnation = 0): void {
    invariant(!node.up, 'it ended before')
    node.run++
    node.up = true
    node.stalledUntil = 0
    node.asked.clear()
    node.swim = this.#createSwim(node.member, node.run, incarnation)
    this.#changeChannels(node, false)
    this.#connect(node)
    this.#changeChannels(node, true)
    this.#setTimer(node)
  }

  /** Nothing from one arrives at the other any more. */
  cut(from: SimNode, to: SimNode): void {
    const cuts = this.#cuts.get(from) ?? new Set()
    this.#cuts.set(from, cuts.add(to))
  }

  heal(): void {
    this.#cuts.clear()
  }

  isCut(from: SimNode, to: SimNode): boolean {
    return this.#cuts.get(from)?.has(to) ?? false
  }

  #createSwim(self: SwimMember, run: number, incarnation = 0): SwimState {
    return createSwim({
      self,
      members: this.#members,
      ring: { epoch: 1, digest: '0'.repeat(16) },
      run,
      incarnation: incarnation || run,
      random: createSeededRandom(`${this.#options.seed} ${self.id} ${run}`),
      settings: this.#settings,
      elapsed: this.now,
    })
  }

  #connect(node: SimNode): void {
    for (const other of this.nodes ?? []) {
      if (other === node || !other.up) continue
      const event = { kind: 'channelChanged', peer: other.member.id, up: true } as const
      stepSwim(node.swim, this.now, event)
    }
  }

  #changeChannels(node: SimNode, up: boolean): void {
    const event = { kind: 'channelChanged', peer: node.member.id, up } as const
    for (const other of this.nodes) if (other !== node) this.step(other, event)
  }

  #setTimer(node: SimNode): void {
    const at = Math.max(this.now, wakeAfter(node.swim))
    // One that fires too early sets itself again.
    if (node.timer > this.now && node.timer <= at) return
    if (at === Number.POSITIVE_INFINITY) return
    node.timer = at
    this.#agenda.add(at, TIMER, node)
  }

  #wake(node: SimNode): void {
    if (node.timer !== this.now || !node.up || this.now < node.stalledUntil) return
    node.timer = 0
    if (this.now >= wakeAfter(node.swim)) this.step(node, { kind: 'woke' })
    else this.#setTimer(node)
  }

  /** As in a real process: the timers that are late first, then what waits in the sockets. */
  #resume(node: SimNode): void {
    if (this.now < node.stalledUntil || !node.up) return
    node.timer = 0
    if (this.now >= wakeAfter(node.swim)) this.step(node, { kind: 'woke' })
    for (const message of node.inbox.splice(0)) this.#arrive(message)
    this.#setTimer(node)
  }

  #send(from: SimNode, to: SimNode, event: Sent): void {
    this.messages++
    const { random } = this
    const message = { from, to, run: to.run, event }
    this.#options.sent?.(message)
    const [least, most] = this.#options.delay ?? [0.2, 5]
    if (random.below(1_000_000) < this.loss * 1_000_000 || this.isCut(from, to)) return
    this.#agenda.add(
      this.now + least + ((most - least) * random.below(1_000)) / 1_000,
      MESSAGE,
      message,
    )
  }

  #arrive(message: Message): void {
    const { from, to, run, event } = message
    if (!to.up || to.run !== run) return
    if (this.now < to.stalledUntil) {
      to.inbox.push(message)
      return
    }
    if (!('question' in event)) {
      this.step(to, event)
      return
    }
    const question = ++to.questions
    to.asked.set(question, { from, sequence: event.question })
    this.step(to, { ...event, question })
  }

  #perform(node: SimNode, effect: SwimEffect): void {
    const said = { from: node.member.id, header: headerOf(node.swim) }
    const asking = questionOf(effect, said)
    if (asking !== undefined) {
      const isProbe = effect.kind === 'ping' || effect.kind === 'askRelay'
      if (isProbe && this.#isRefused(node, effect)) return
      this.#send(node, this.node(asking.to), asking.event)
      return
    }
    if (!('question' in effect)) return
    const asked = node.asked.get(effect.question)
    if (asked === undefined) return
    node.asked.delete(effect.question)
    const { from: to, sequence } = asked
    for (const event of answersOf(effect, said, sequence)) this.#send(node, to, event)
  }

  /** Without a channel nothing leaves, and the asker knows at once. */
  #isRefused(node: SimNode, { to, sequence }: { to: NodeId; sequence: number }): boolean {
    if (node.swim.peers.get(to)?.channelUp !== false) return false
    this.after(0.05, () => this.step(node, { kind: 'unanswered', from: to, sequence }))
    return true
  }
}
