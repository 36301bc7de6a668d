import type { SimNode } from '../cluster/sim-cluster.ts'
import { within, without } from './bits.ts'
import { storedVersion } from './decode.ts'
import { owes } from './disks.ts'
import type { ObservedBatch } from './observer.ts'
import { type Copy, type Key, keyText, type World } from './world.ts'

/** A hint as its holder wrote it. */
interface Owed {
  readonly key: Key
  readonly target: number
  /** The record of the row at that time. */
  record: Buffer | undefined
  readonly at: number
}

/**
 * H1: a node that is no replica of a key takes a copy only to stand in for one that is (Q3), and
 * owes it the copy by the same batch, or by an earlier one. A hint dies when what its holder owed
 * is on the platter of its target. A younger hint of the same row takes its place, and a mark on
 * the partition what a full log or old age takes away (H2).
 */
export class Hints {
  readonly #world: World
  /** By holder and name of the hint. */
  readonly #owed = new Map<string, Owed>()

  constructor(world: World) {
    this.#world = world
  }

  /** Looks at a batch, after the checks of disks have. */
  wrote(node: SimNode, { operations, replaced }: ObservedBatch): void {
    operations.forEach(({ column, key: text, value }, index) => {
      if (column === 'versions' && value) this.#checkStandIn(node, this.#world.keyNamed(text))
      if (column !== 'hints' || text.charCodeAt(0) !== HINT) return
      const name = `${node.index} ${text}`
      if (value) this.#keep(node, name, text, value)
      else if (replaced[index]) this.#ended(node, name)
    })
  }

  /** A power cut may take the row, or its last write, and leave the hint: what is left is owed. */
  crashed({ index, disk }: SimNode): void {
    for (const [name, owed] of this.#owed) {
      if (!name.startsWith(`${index} `)) continue
      owed.record = disk.current('versions', Buffer.from(owed.key.name, 'latin1'))
    }
  }

  /** Looked at with the batch: a moment later the hint may be delivered and gone. */
  #checkStandIn({ index, ring, disk }: SimNode, key: Key): void {
    // Copies of a partition are compared whole: nodes behind the N of a bucket get its keys.
    if (key.primaries.includes(index) || ring.isReplica(key.partition, ring.self)) return
    // A damaged copy is replaced from those of others, whoever has it.
    if ((key.copies[index] as Copy).damagedAt >= 0) return
    this.#world.findings.checked('copies written by stand-ins')
    for (let at = 0; at < disk.keyCount('hints'); at++) {
      const name = disk.keyAt('hints', at)
      if (name && owes(key, name, disk.current('hints', name))) return
    }
    const text = `node ${index} wrote a copy of ${keyText(key)} and owes it to nobody`
    this.#world.fail(key, 'H1', text)
  }

  #keep({ index, disk }: SimNode, name: string, text: string, value: Buffer): void {
    if (value.length < HEAD_BYTES + TAIL_BYTES) return
    const rowKey = value.subarray(HEAD_BYTES, value.length - TAIL_BYTES)
    const key = this.#world.keyNamed(rowKey.toString('latin1', TOKEN_BYTES))
    const target = this.#world.indexOf(text.slice(2, 2 + text.charCodeAt(1)))
    if (target < 0 || target === index) return
    const record = disk.current('versions', Buffer.from(key.name, 'latin1'))
    this.#owed.set(name, { key, target, record, at: this.#world.now() })
  }

  #ended(holder: SimNode, name: string): void {
    const owed = this.#owed.get(name)
    this.#owed.delete(name)
    if (!owed?.record) return
    const { key, target } = owed
    const copy = key.copies[target] as Copy
    // What a disk has lost since is another matter.
    if (key.damages > 0 || copy.damagedAt >= owed.at) return
    const version = storedVersion(owed.record, key.token)
    if (!version) return
    this.#world.findings.checked('hints that ended')
    const { events } = key.history.state(version)
    if (within(events, copy.durable.events) || isStillOwed(holder, owed, this.#world)) return
    const missing = key.history.names(without(events, copy.durable.events))
    const text = `node ${holder.index} no longer owes ${keyText(key)} to node ${target}`
    this.#world.fail(key, 'H1', `${text}, which lacks ${missing}`)
  }
}

const HINT = 'h'.charCodeAt(0)
const HEAD_BYTES = 11
const TAIL_BYTES = 8
const TOKEN_BYTES = 8

/** By a younger hint, or by a mark on the partition. */
function isStillOwed({ disk }: SimNode, { key, target }: Owed, world: World): boolean {
  for (let at = 0; at < disk.keyCount('hints'); at++) {
    const name = disk.keyAt('hints', at)
    if (!name || !owes(key, name, disk.current('hints', name))) continue
    if (world.indexOf(name.toString('latin1', 2, 2 + (name[1] as number))) === target) return true
  }
  return false
}
