import type { SimNode } from '../cluster/sim-cluster.ts'
import { eachEntry, hexOf } from './decode.ts'
import type { Meaning } from './history.ts'
import type { Key, World } from './world.ts'

interface Actor {
  readonly node: number
  readonly partition: number
  life: number
  counter: number
  /** When it issued first. */
  readonly since: number
  /** The highest that its own node was told of by another, in which process. */
  heard: { readonly life: number; readonly counter: number } | undefined
  /** An older disk of its node was put back, and on it the node had stopped cleanly. */
  forked: boolean
}

/** A1, A2, I11: counters of an actor rise, in one place, and do not outlive an unclean stop. */
export class Actors {
  readonly #world: World
  /** The process of each node that met a clock last, so that it is taken apart once. */
  readonly #heardIn = new WeakMap<Meaning, number[]>()
  readonly #actors = new Map<number, Actor>()
  /** By node: the last process that did not end cleanly. */
  readonly #unclean: number[]
  readonly #booted: number[]

  constructor(world: World) {
    this.#world = world
    this.#unclean = world.nodes.map(() => 0)
    this.#booted = world.nodes.map(() => 0)
  }

  booted({ index, life }: SimNode): void {
    this.#booted[index] = life
  }

  /** A process that ends while it opens its disk may leave the marker of the one before it. */
  stoppedUncleanly({ index, life }: SimNode): void {
    if (this.#booted[index] === life) this.#unclean[index] = life
  }

  /**
   * The disk of a node is an older one. With the marker of a clean stop on it the node cannot know,
   * and its actors write on where they were then: the operator was to prevent it (A2).
   */
  rolledBack(node: SimNode): void {
    this.stoppedUncleanly(node)
    if (node.disk.current('meta', CLEAN_MARKER) === undefined) return
    for (const actor of this.#actors.values()) if (actor.node === node.index) actor.forked = true
  }

  /** A node merges a clock, in which it may meet actors of its own. */
  heard({ index, life }: SimNode, clock: Buffer, meaning: Meaning): void {
    const lives = this.#heardIn.get(meaning)
    if (lives?.[index] === life) return
    if (lives) lives[index] = life
    else
      this.#heardIn.set(
        meaning,
        Array.from(this.#unclean, (_life, at) => (at === index ? life : 0)),
      )
    eachEntry(clock, (id, counter) => {
      const actor = this.#actors.get(id)
      if (actor?.node !== index) return
      const before = actor.heard?.life === life ? actor.heard.counter : 0
      if (counter > before) actor.heard = { life, counter }
    })
  }

  /** An actor issues a counter. What a forked one writes is in doubt. */
  issued(node: SimNode, key: Key, { id, counter }: { id: number; counter: number }): void {
    const { index, life } = node
    const actor = this.#actors.get(id)
    if (!actor) {
      const { partition } = key
      this.#actors.set(id, {
        node: index,
        partition,
        life,
        counter,
        since: this.#world.now(),
        heard: undefined,
        forked: false,
      })
      return
    }
    this.#checkMemory(node, actor, { id, counter })
    this.#checkForgotten(actor, id)
    if (actor.forked) this.#world.doubt(key)
    else this.#check(node, key, { id, counter, actor })
    actor.counter = Math.max(actor.counter, counter)
    actor.life = life
  }

  /** A2: who meets its own actor ahead of itself has forgotten something, and takes a new one. */
  #checkMemory(
    { index, life }: SimNode,
    { heard }: Actor,
    { id, counter }: { id: number; counter: number },
  ): void {
    if (heard?.life !== life || counter > heard.counter) return
    const text = `node ${index} mints ${counter} of ${hexOf(id)}`
    this.#world.findings.add('A2', `${text}, of which it was told ${heard.counter}`)
  }

  /** A2: a node whose disk lost what it had written writes as somebody new. */
  #checkForgotten({ node, partition, since }: Actor, id: number): void {
    const at = this.#world.forgotten.get(`${node} ${partition}`)
    if (at === undefined || since >= at) return
    const text = `node ${node} writes on as ${hexOf(id)}, though it lost what that had written`
    this.#world.findings.add('A2', text)
  }

  #check(
    { index, life }: SimNode,
    key: Key,
    { id, counter, actor }: { id: number; counter: number; actor: Actor },
  ): void {
    const whose = `actor ${hexOf(id)} of node ${actor.node}, partition ${actor.partition}`
    const fail = (invariant: string, text: string): void => {
      this.#world.findings.add(invariant, `${whose}: ${text}`)
    }
    if (actor.node !== index || actor.partition !== key.partition) {
      fail('A1', `node ${index} mints with it in partition ${key.partition}`)
    }
    if (counter <= actor.counter) fail('I11', `${counter} was minted after ${actor.counter}`)
    const unclean = this.#unclean[index] as number
    if (unclean >= actor.life && life !== actor.life) {
      fail('A2', `process ${life} mints with it, though process ${unclean} had no clean end`)
    }
  }
}

const CLEAN_MARKER = Buffer.from('clean-shutdown')
