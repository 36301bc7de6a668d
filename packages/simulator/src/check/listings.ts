import type { ListAnswer, ListRequest } from '@shoal/coordinator'
import type { SimNode } from '../cluster/sim-cluster.ts'
import { type Bits, hasBit, inAtLeast } from './bits.ts'
import { describe, type Minted } from './minted.ts'
import { isVisible } from './reads.ts'
import { type Key, platters, type World } from './world.ts'

/** What held when a listing began. */
export interface ListBegun {
  /** By the clock of the node that was asked. */
  readonly wall: number
  /** How often that clock had been set until then. */
  readonly clockSet: number
  readonly keys: ReadonlyMap<Key, KeyBegun>
}

interface KeyBegun {
  readonly platters: readonly Bits[]
  readonly damages: number
}

type Fail = (invariant: string, text: string) => void

/** Of larger buckets only these are looked at: a listing must not cost more than it lists. */
const KEYS_MAX = 500

/** Listings against the disks: no key that is surely deleted, and every key that is surely live. */
export class Listings {
  readonly #world: World
  /** How often the clock of each node was set. */
  readonly #clockSet = new Map<number, number>()

  constructor(world: World) {
    this.#world = world
  }

  clockSet(node: number): void {
    this.#clockSet.set(node, this.#timesSet(node) + 1)
  }

  #timesSet(node: number): number {
    return this.#clockSet.get(node) ?? 0
  }

  begin(node: SimNode, { bucket }: ListRequest): ListBegun {
    const keys = new Map<Key, KeyBegun>()
    for (const key of this.#world.buckets.get(bucket) ?? []) {
      if (keys.size >= KEYS_MAX) break
      keys.set(key, { platters: platters(key), damages: key.damages })
    }
    return { wall: wallOf(node), clockSet: this.#timesSet(node.index), keys }
  }

  answered(node: SimNode, request: ListRequest, begun: ListBegun, answer: ListAnswer): void {
    const { findings } = this.#world
    const { bucket, prefix, after } = request
    findings.checked('listings answered')
    const fail: Fail = (invariant, text) => {
      const where = `listing of ${bucket}/${prefix}* after "${after}" through node ${node.index}`
      findings.add(invariant, `${where}: ${text}`)
    }
    this.#checkForm(request, answer, fail)
    // Each key was judged by the clock at some moment of the listing. A clock that was set in the
    // meantime may have shown anything.
    const isSteady = begun.clockSet === this.#timesSet(node.index)
    const first = isSteady ? Math.min(begun.wall, wallOf(node)) : Number.NEGATIVE_INFINITY
    const last = isSteady ? Math.max(begun.wall, wallOf(node)) : Number.POSITIVE_INFINITY
    const listed = new Set(answer.keys)
    const lastKey = answer.more ? answer.keys.at(-1) : undefined
    for (const key of this.#world.buckets.get(bucket) ?? []) {
      const was = begun.keys.get(key)
      if (listed.delete(key.key)) this.#checkPresent(key, was, { answer, wall: first }, fail)
      else if (was && isInRange(key.key, request, lastKey)) {
        this.#checkAbsent(key, was, { answer, wall: last }, fail)
      }
    }
    for (const key of listed) fail('I5', `it lists ${key}, which nobody wrote`)
  }

  #checkForm({ prefix, after, limit }: ListRequest, { keys, more }: ListAnswer, fail: Fail): void {
    let before = Buffer.from(after)
    for (const key of keys) {
      const bytes = Buffer.from(key)
      if (after !== '' || before.length > 0) {
        if (bytes.compare(before) <= 0) fail('listing', `${key} is out of order`)
      }
      if (!key.startsWith(prefix)) fail('listing', `${key} does not begin so`)
      before = bytes
    }
    if (keys.length > limit) fail('listing', `${keys.length} keys where ${limit} were asked for`)
    if (more && keys.length < limit)
      fail('listing', `more than ${keys.length} keys, says a short page`)
  }

  /** A key that is not listed may have been deleted, or unknown to those asked. */
  #checkAbsent(
    key: Key,
    was: KeyBegun,
    { answer, wall }: { answer: ListAnswer; wall: number },
    fail: Fail,
  ): void {
    if (key.doubted || was.damages !== key.damages) return
    if (key.copies.some(({ damaged }) => damaged)) return
    const { n, r } = answer.consistency
    const floor = inAtLeast(n - r + 1, was.platters)
    const sure = key.history
      .maximal(everything(key))
      .find((event) => hasBit(floor, event.index) && isVisible(event, wall))
    const where = `on ${n - r + 1} of ${n} disks`
    if (sure) fail('Q4', `it leaves out ${key.key}, where ${describe(sure)} is ${where}`)
  }

  /** A listed key must be able to show a value to those who were asked. */
  #checkPresent(
    key: Key,
    was: KeyBegun | undefined,
    { answer, wall }: { answer: ListAnswer; wall: number },
    fail: Fail,
  ): void {
    if (key.doubted) return
    const { n, r } = answer.consistency
    const certain = was && was.damages === key.damages
    const floor = certain ? inAtLeast(n - r + 1, was.platters) : undefined
    const top = floor ? key.history.maximal(floor) : []
    for (let index = key.history.events.length - 1; index >= 0; index--) {
      const event = key.history.events[index] as Minted
      if (!isVisible(event, wall)) continue
      const overwritten = top.some((over) => over !== event && hasBit(over.history, index))
      if (!overwritten) return
    }
    const by = top[0] ? `, ${describe(top[0])} is on ${n - r + 1} of ${n} disks` : ''
    fail('D1', `it lists ${key.key}, which has no value${by}`)
  }
}

const wallOf = ({ coordinator }: SimNode): number => coordinator?.desk.env.clock.wall() ?? 0

function isInRange(key: string, { prefix, after }: ListRequest, last: string | undefined): boolean {
  if (!key.startsWith(prefix)) return false
  const bytes = Buffer.from(key)
  if (after !== '' && bytes.compare(Buffer.from(after)) <= 0) return false
  return last === undefined || bytes.compare(Buffer.from(last)) <= 0
}

function everything({ history }: Key): Bits {
  const all = new Uint32Array((history.events.length + 31) >>> 5).fill(0xffff_ffff)
  const rest = history.events.length & 31
  if (rest !== 0) all[all.length - 1] = 2 ** rest - 1
  return all
}
