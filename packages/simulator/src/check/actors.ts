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
}

interface Entry {
  readonly actor: Actor
  readonly counter: number
}

/** A1, A2, I11: counters of an actor rise, in one place, and do not outlive an unclean stop. */
export class Actors {
  readonly #world: World
  readonly #entries = new WeakMap<Meaning, readonly Entry[]>()
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

  /** The power was cut. Where the marker is on the platter, so is all that came before it. */
  crashed(node: SimNode): void {
    if (node.disk.current('meta', CLEAN_MARKER) === undefined) this.stoppedUncleanly(node)
  }

  /** A node merges a clock, in which it may meet actors of its own. */
  heard({ index, life }: SimNode, clock: Buffer, meaning: Meaning): void {
    for (const { actor, counter } of this.#entriesOf(clock, meaning)) {
      if (actor.node !== index) continue
      const before = actor.heard?.life === life ? actor.heard.counter : 0
      if (counter > before) actor.heard = { life, counter }
    }
  }

  /** The entries of a clock. It is taken apart once, however many nodes merge it. */
  #entriesOf(clock: Buffer, meaning: Meaning): readonly Entry[] {
    const known = this.#entries.get(meaning)
    if (known) return known
    const entries: Entry[] = []
    eachEntry(clock, (id, counter) => {
      const actor = this.#actors.get(id)
      if (actor) entries.push({ actor, counter })
    })
    this.#entries.set(meaning, entries)
    return entries
  }

  /** An actor issues a counter. */
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
      })
      return
    }
    this.#checkMemory(node, actor, { id, counter })
    this.#checkForgotten(actor, id)
    this.#check(node, key, { id, counter, actor })
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
