import type { SimNode } from '../cluster/sim-cluster.ts'
import { noBits, within, without } from './bits.ts'
import { agree, HEADER_BYTES, readRow, readVersion, storedVersion } from './decode.ts'
import { noState, type State } from './history.ts'
import { describe, nameOf } from './minted.ts'
import type { DiskDamage, ObservedBatch } from './observer.ts'
import {
  type Copy,
  emptyCopy,
  hurt,
  isExcused,
  type Key,
  keyText,
  undamaged,
  type World,
} from './world.ts'

interface Change {
  readonly copy: Copy
  readonly state: State
  readonly before: State
}

/** What a node wrote of one key, in one batch. */
interface Records {
  readonly record: Buffer
  readonly row: Buffer | undefined
}

const sameRecords = (one: Records, other: Records): boolean =>
  one.row !== undefined &&
  other.row !== undefined &&
  one.record.equals(other.record) &&
  one.row.equals(other.row)

interface Disk {
  /** Not looked at yet: writes of the same group may still have to be told. */
  readonly waiting: (ObservedBatch | DiskDamage)[]
  /** The event of the simulation in which the last of them came. */
  wroteIn: number
  /** Its virtual time. */
  wroteAt: number
  /** What each unsynced batch changed, oldest first. */
  unsynced: (readonly Change[])[]
  /** Of other columns than rows and versions. */
  digestsDamaged: boolean
}

/**
 * What every disk holds of every key, in both layers, followed batch by batch: two look-ups and one
 * comparison for each key written, nothing for keys that are not.
 *
 * A batch is looked at once its group has told of all its writes, which is before anything else
 * happens on its node.
 */
export class Disks {
  readonly #world: World
  readonly #disks: Disk[]
  /** The records of a key that were found sound last. A damaged disk may change them. */
  readonly #judged = new Map<Key, Records & { readonly state: State }>()

  constructor(world: World) {
    this.#world = world
    this.#disks = world.nodes.map(({ disk }) => ({
      waiting: [],
      wroteIn: 0,
      wroteAt: 0,
      unsynced: Array.from({ length: disk.unsyncedBatches }, () => []),
      digestsDamaged: false,
    }))
  }

  digestsDamaged(node: number): boolean {
    return (this.#disks[node] as Disk).digestsDamaged
  }

  wrote({ index }: SimNode, batch: ObservedBatch): void {
    // Hints that a write left behind may be written while the rest of its group is being told.
    this.#tryToSettle(index)
    const disk = this.#disks[index] as Disk
    disk.waiting.push(batch)
    disk.wroteIn = this.#world.events
    disk.wroteAt = this.#world.now()
  }

  synced({ index }: SimNode, batches: number): void {
    this.settle(index)
    const disk = this.#disks[index] as Disk
    for (const changes of disk.unsynced.splice(0, batches)) {
      for (const { copy, state } of changes) copy.durable = state
    }
  }

  crashed({ index }: SimNode, survived: readonly boolean[]): void {
    this.settle(index)
    const disk = this.#disks[index] as Disk
    if (survived.length !== disk.unsynced.length) {
      const { length } = disk.unsynced
      const counts = `${length} batches to lose, the disk had ${survived.length}`
      this.#world.findings.add('checks', `the checks knew of ${counts} on node ${index}`)
    }
    for (const changes of disk.unsynced.toReversed()) {
      for (const { copy, before } of changes) copy.cached = before
    }
    disk.unsynced.forEach((changes, batch) => {
      for (const { copy, state } of survived[batch] ? changes : []) {
        copy.cached = state
        copy.durable = state
      }
    })
    disk.unsynced = []
    for (const key of this.#world.keys.values()) this.#forgetRunning(key, index)
  }

  damaged({ index }: SimNode, damage: DiskDamage): void {
    const { waiting } = this.#disks[index] as Disk
    // A write that goes astray damages in the middle of its group.
    if (waiting.length > 0) waiting.push(damage)
    else this.#harm(index, damage)
  }

  #harm(index: number, { kind, column, key: text }: DiskDamage): void {
    if (column !== 'rows' && column !== 'versions') {
      if (column === 'digests') (this.#disks[index] as Disk).digestsDamaged = true
      return
    }
    const name = column === 'rows' ? text.slice(TOKEN_BYTES) : text
    if (name.indexOf('\0') <= 0) return
    const key = this.#world.keyNamed(name)
    const copy = key.copies[index] as Copy
    hurt(key, index, this.#world.now())
    copy.damaged = true
    if (column === 'rows') copy.rowDamaged = true
    else copy.versionDamaged = true
    this.#world.doubtLostBuckets()
    if (kind !== 'missing' && kind !== 'stale') return
    this.#world.doubt(key)
    // A change of the digest was counted from an older state than the one it replaced.
    ;(this.#disks[index] as Disk).digestsDamaged = true
    this.#forgetCopy(index, copy)
  }

  /** The disk is a new one, or an older one: what it holds is read from it. */
  replaced({ index, disk }: SimNode, by: 'a new one' | 'an older one'): void {
    const state = this.#disks[index] as Disk
    // An older one may have been copied after the damage.
    const digestsDamaged = by === 'an older one' && state.digestsDamaged
    Object.assign(state, { unsynced: [], digestsDamaged })
    state.waiting.length = 0
    const now = this.#world.now()
    const damaged = new Map<Key, Copy>()
    for (const key of this.#world.keys.values()) {
      hurt(key, index, now)
      const copy = key.copies[index] as Copy
      if (copy.damaged) damaged.set(key, { ...copy })
      const lostAt = by === 'a new one' ? now : copy.lostAt
      Object.assign(copy, { ...emptyCopy(), damagedAt: now, lostAt })
    }
    for (let at = 0; at < disk.keyCount('versions'); at++) {
      const name = disk.keyAt('versions', at) as Buffer
      const key = this.#world.keyNamed(name.toString('latin1'))
      const record = disk.current('versions', name)
      const version = record && storedVersion(record, key.token)
      const row = disk.current('rows', key.rowKey)
      const copy = key.copies[index] as Copy
      // Bad blocks stay where they are; a flipped bit may lie in the older state, too.
      const before = damaged.get(key)
      copy.versionDamaged =
        version === undefined ||
        (before?.versionDamaged === true && !disk.canRead('versions', name))
      copy.rowDamaged =
        !(row && readRow(row, key.token)) ||
        (before?.rowDamaged === true && !disk.canRead('rows', key.rowKey))
      copy.damaged = copy.versionDamaged || copy.rowDamaged
      copy.cached = version ? key.history.state(version) : noState
      copy.durable = copy.cached
      copy.running = copy.cached.events
    }
    this.#world.doubtLostBuckets()
  }

  damagedRows(): { readonly bucket: string; readonly key: string; readonly node: number }[] {
    return [...this.#world.keys.values()].flatMap(({ bucket, key, primaries, copies }) =>
      primaries
        .filter((node) => copies[node]?.rowDamaged && !bucket.startsWith('_'))
        .map((node) => ({ bucket, key, node })),
    )
  }

  /** Looks at what came in meanwhile. */
  settleAll(): void {
    for (let index = 0; index < this.#disks.length; index++) {
      if ((this.#disks[index] as Disk).waiting.length > 0) this.#tryToSettle(index)
    }
  }

  /** The writes of its last group have all been told. */
  settle(index: number): void {
    const disk = this.#disks[index] as Disk
    for (const event of disk.waiting.splice(0)) {
      if ('operations' in event) this.#take(index, disk, event)
      else this.#harm(index, event)
    }
  }

  /**
   * In the middle of telling of a group an answer may leave; what the group wrote is then not yet
   * known to the last. All of it is told within one event of the simulation.
   */
  #tryToSettle(index: number): void {
    if ((this.#disks[index] as Disk).wroteIn !== this.#world.events) this.settle(index)
  }

  #take(index: number, disk: Disk, { operations }: ObservedBatch): void {
    const changes: Change[] = []
    let rowOf: Key | undefined
    let row: Buffer | undefined
    for (const { column, key: text, value } of operations) {
      if (column !== 'rows' && column !== 'versions') continue
      if (!value) {
        this.#world.findings.add('D3', `node ${index} removed a record of ${column}`)
      } else if (column === 'rows') {
        if (rowOf) this.#loneRow(index, rowOf)
        rowOf = this.#world.keyNamed(text.slice(TOKEN_BYTES))
        row = value
      } else {
        const key = this.#world.keyNamed(text)
        changes.push(
          this.#change(index, key, { record: value, row: key === rowOf ? row : undefined }),
        )
        if (key === rowOf) rowOf = undefined
      }
    }
    if (rowOf) this.#loneRow(index, rowOf)
    disk.unsynced.push(changes)
  }

  #loneRow(index: number, key: Key): void {
    const text = `node ${index} wrote a row of ${keyText(key)} without its version`
    this.#world.fail(key, 'white box', text)
  }

  #change(index: number, key: Key, written: Records): Change {
    const copy = key.copies[index] as Copy
    const before = copy.cached
    const state = this.#judge(index, key, written)
    this.#compare(index, key, copy, state)
    copy.cached = state
    copy.running = state.events
    if (copy.damaged) Object.assign(copy, undamaged)
    return { copy, state, before }
  }

  /** Replicas mostly write the very bytes that another has written just before. */
  #judge(index: number, key: Key, written: Records): State {
    this.#world.findings.checked('copies written')
    const last = this.#judged.get(key)
    if (!key.primaries.includes(index) || !last || !sameRecords(last, written)) {
      const state = this.#judgeAnew(index, key, written)
      if (state.fault) this.#judged.delete(key)
      else this.#judged.set(key, { ...written, state })
      return state
    }
    return last.state
  }

  #judgeAnew(index: number, key: Key, { record, row }: Records): State {
    const fail = (invariant: string, text: string): void => {
      this.#world.fail(key, invariant, `node ${index} wrote a copy of ${keyText(key)}: ${text}`)
    }
    const version = storedVersion(record, key.token)
    const parts = version && readVersion(version)
    if (!version || !parts) {
      fail('V11', 'its version is damaged')
      return noState
    }
    const content = row && readRow(row, key.token)
    if (!content) fail('V11', row ? 'its row is damaged' : 'it has a version and no row')
    const agrees = content !== undefined && agree(content, parts)
    if (content && !agrees) fail('white box', 'row and version differ')
    const state = key.history.state(version)
    if (state.fault && !isExcused(key, state.fault)) fail(state.fault.invariant, state.fault.text)
    else if (agrees) this.#checkBlocks(state, content.blocks, fail)
    return state
  }

  /** V1, I1: one dot, one value, byte for byte. */
  #checkBlocks(
    { live }: State,
    blocks: readonly Buffer[],
    fail: (invariant: string, text: string) => void,
  ): void {
    for (let at = 0; at < live.length; at++) {
      const event = live[at]
      const block = blocks[at]
      if (!event || !block) continue
      if (event.block === undefined) {
        event.block = Buffer.from(block)
        const { operation } = event
        const header = event.block.toString('latin1', 25, 33)
        if (operation && operation.requestHash !== header) {
          fail('V10', `${describe(event)} carries another request than its own`)
        }
      } else if (!event.block.equals(block)) {
        const where = event.block.compare(block, 0, HEADER_BYTES, 0, HEADER_BYTES) === 0
        fail('I1', `${describe(event)} has another ${where ? 'content' : 'header'} than before`)
      }
    }
  }

  /** A copy never forgets, unless both its records were damaged and replaced by sound ones. */
  #compare(index: number, key: Key, copy: Copy, state: State): void {
    if (within(copy.cached.events, state.events)) return
    if (copy.rowDamaged && copy.versionDamaged) {
      // What is looked at now was written a moment ago, and by then its node had a new actor.
      const { wroteAt } = this.#disks[index] as Disk
      this.#world.forgotten.set(`${index} ${key.partition}`, wroteAt)
      copy.lostAt = wroteAt
      return
    }
    const forgotten = key.history.maximal(without(copy.cached.events, state.events))
    const names = forgotten.slice(0, 3).map(nameOf).join(', ')
    const text = `node ${index} wrote a copy of ${keyText(key)} that no longer knows ${names}`
    this.#world.fail(key, 'I3', text)
  }

  #forgetRunning(key: Key, index: number): void {
    const copy = key.copies[index] as Copy
    copy.running = copy.cached.events
  }

  /**
   * What the disk really holds is older than what was written, and how much older is not known:
   * nothing is expected of it.
   */
  #forgetCopy(index: number, copy: Copy): void {
    const disk = this.#disks[index] as Disk
    disk.unsynced = disk.unsynced.map((changes) => changes.filter((change) => change.copy !== copy))
    Object.assign(copy, { cached: noState, durable: noState, running: noBits })
  }
}

const TOKEN_BYTES = 8
const MARK = 'd'.charCodeAt(0)

/** A hint for the key, or a mark on its partition. */
export function owes({ rowKey, partition }: Key, name: Buffer, value: Buffer | undefined): boolean {
  if (value === undefined) return false
  if (name[0] === MARK) return name.readUInt16BE(name.length - 2) === partition
  return value.includes(rowKey)
}
