import type { Partition } from '@shoal/kernel'
import { limits } from '@shoal/kernel'
import { hash64, segmentOfRowKey } from '@shoal/ring'
import type { MemoryDisk } from '@shoal/storage'
import type { SimNode } from '../cluster/sim-cluster.ts'
import { hasBit, noBits, sameBits, union, within, without } from './bits.ts'
import { agree, readRow, readVersion, storedVersion } from './decode.ts'
import { type Disks, owes } from './disks.ts'
import { describe } from './minted.ts'
import { type Copy, heldAnywhere, type Key, keyText, type World } from './world.ts'

/**
 * What must hold after everything has healed: first of copies that nobody has read since, with
 * hints and read repair or without, for anti-entropy alone makes them equal (H3, I12); then of
 * those that every node has checked (E4); at last after every key was read from all its replicas.
 */
export class FinalChecks {
  readonly #world: World
  readonly #disks: Disks

  constructor(world: World, disks: Disks) {
    this.#world = world
    this.#disks = disks
  }

  /** I12: copies are equal though nobody has read them, those of the system too. */
  converged(): void {
    for (const key of this.#world.keys.values()) this.#checkEqual(key)
    this.#checkRoots()
  }

  /** I12: what was read from everywhere is equal, and nothing else has made it so. */
  equal(keys: readonly Key[]): void {
    for (const key of keys) this.#checkEqual(key)
  }

  /** V11: what was read through its own node and found damaged is replaced. */
  healed(keys: readonly Key[]): void {
    for (const key of keys) this.#checkHealed(key)
  }

  /** V11, E4: what a scrub finds damaged is replaced, whoever reads it or not. */
  scrubbed(): void {
    for (const key of this.#world.keys.values()) this.#checkHealed(key)
  }

  run(): void {
    for (const key of this.#world.keys.values()) {
      this.#checkNothingLost(key)
      this.#checkDisks(key)
      this.#checkEqual(key)
      this.#checkHealed(key)
      this.#checkDelivered(key)
    }
    for (const node of this.#world.nodes) this.checkDigests(node, 'whole')
  }

  /** I3. Nothing is promised of a write whose every copy of then was damaged since. */
  #checkNothingLost(key: Key): void {
    const { findings } = this.#world
    const held = heldAnywhere(key)
    findings.checked('keys searched for lost writes')
    for (const event of key.history.events) {
      const { acknowledged } = event
      if (!acknowledged || hasBit(held, event.index)) continue
      const { at, holders } = acknowledged
      const intact = holders.filter((node) => (key.copies[node] as Copy).damagedAt < at)
      if (intact.length === 0) continue
      const when = `acknowledged at ${Math.round(at)} with copies on nodes ${holders.join(', ')}`
      this.#world.fail(key, 'I3', `${describe(event)} of ${keyText(key)}, ${when}, is on no disk`)
    }
  }

  /** That the checks know what the disks hold, and that rows and versions agree. */
  #checkDisks(key: Key): void {
    const { findings, nodes } = this.#world
    const name = Buffer.from(key.name, 'latin1')
    for (const { index, disk } of nodes) {
      const copy = key.copies[index] as Copy
      if (copy.damaged) continue
      const fail = (text: string): void => {
        const where = `${keyText(key)} on the disk of node ${index}`
        this.#world.fail(key, 'white box', `${where}: ${text}`)
      }
      findings.checked('copies compared with the disk')
      this.#checkPlatter(key, copy, { name, disk, fail })
      const record = disk.current('versions', name)
      const row = disk.current('rows', key.rowKey)
      if (!record && !row) {
        if (copy.cached.live.length > 0) fail('it is gone')
        continue
      }
      const version = record && storedVersion(record, key.token)
      const parts = version && readVersion(version)
      const content = row && readRow(row, key.token)
      if (!parts || !content) fail('it is damaged, and nobody damaged it')
      else if (!agree(content, parts)) fail('row and version differ')
      else if (key.history.state(version).events !== copy.cached.events) {
        fail('it is not what was written last')
      }
    }
  }

  /** What acknowledgements were judged by is what a power cut would leave. */
  #checkPlatter(
    key: Key,
    copy: Copy,
    { name, disk, fail }: { name: Buffer; disk: MemoryDisk; fail: (text: string) => void },
  ): void {
    const record = disk.durable('versions', name)
    const version = record && storedVersion(record, key.token)
    const events = version ? key.history.state(version).events : noBits
    if (!sameBits(events, copy.durable.events)) fail('its platter holds something else')
  }

  /** I12: what was read from everywhere is the same everywhere. */
  #checkEqual(key: Key): void {
    const { findings, nodes } = this.#world
    if (key.primaries.some((node) => (key.copies[node] as Copy).damaged)) return
    findings.checked('keys compared between replicas')
    const rows = key.primaries.map((node) => nodes[node]?.disk.current('rows', key.rowKey))
    const [first] = rows
    const same = rows.every((row) => (first && row ? row.equals(first) : row === first))
    if (same) return
    const known = key.primaries.map((node) => {
      const { events } = (key.copies[node] as Copy).cached
      return `node ${node}: ${key.history.names(events) || 'nothing'}`
    })
    const text = `the copies of ${keyText(key)} differ after healing: ${known.join('; ')}`
    this.#world.fail(key, 'I12', text)
  }

  /** I12: the trees of all replicas of a partition have one root: their leaves are equal. */
  #checkRoots(): void {
    const { findings, nodes, keys } = this.#world
    const damaged = new Set<number>()
    for (const { partition, copies } of keys.values()) {
      if (copies.some((copy) => copy.damaged)) damaged.add(partition)
    }
    const [{ ring }] = nodes as [SimNode, ...SimNode[]]
    for (let index = 0; index < ring.partitions; index++) {
      const partition = index as Partition
      if (damaged.has(index)) continue
      findings.checked('partitions whose trees were compared')
      const holders = ring.preferenceList(partition).map((id) => nodes.find((n) => n.id === id))
      const replicas = holders.flatMap((node) => node?.replica ?? [])
      for (let segment = 0; segment < limits.digestSegments; segment++) {
        const digests = replicas.map((replica) => replica.segmentDigest(partition, segment))
        if (digests.every((digest) => digest === digests[0])) continue
        findings.add('I12', `partition ${index}: trees differ in segment ${segment} after healing`)
        return
      }
    }
  }

  /**
   * V11: a damaged row was found when its own node read it, and replaced by that of the others,
   * unless it knew more than all of them.
   */
  #checkHealed(key: Key): void {
    const { findings, nodes } = this.#world
    const sound = key.primaries.map((node) => key.copies[node] as Copy).filter((c) => !c.damaged)
    const known = sound.reduce((all, { cached }) => union(all, cached.events), noBits)
    for (const node of key.primaries) {
      const copy = key.copies[node] as Copy
      if (!copy.rowDamaged || key.doubted || !within(copy.cached.events, known)) continue
      findings.checked('damaged rows')
      const disk = nodes[node]?.disk
      const row = disk?.canRead('rows', key.rowKey) && disk.current('rows', key.rowKey)
      if (row && readRow(row, key.token)) continue
      findings.add('V11', `the row of ${keyText(key)} on node ${node} is damaged and stays so`)
    }
  }

  /**
   * H1: what a node missed it was told of. A hint that is refused, because a copy is damaged or a
   * disk has lied, stays and is tried again.
   */
  #checkDelivered(key: Key): void {
    if (key.damages > 0) return
    this.#world.findings.checked('keys searched for hints')
    const copies = key.primaries.map((node) => key.copies[node] as Copy)
    const known = copies.reduce((all, { cached }) => union(all, cached.events), noBits)
    const marked = this.#world.nodes.map((node) => isMarked(node, key))
    for (const { index, disk } of this.#world.nodes) {
      const { events } = (key.copies[index] as Copy).cached
      if (!within(events, known) && !marked[index]) {
        const names = key.history.names(without(events, known))
        const text = `only node ${index}, no replica of ${keyText(key)}, has ${names} of it`
        this.#world.fail(key, 'I12', text)
      }
      for (let at = 0; at < disk.keyCount('hints'); at++) {
        const name = disk.keyAt('hints', at)
        if (!name || name[0] !== HINT || !owes(key, name, disk.current('hints', name))) continue
        const text = `node ${index} still owes ${keyText(key)} to another after healing`
        this.#world.fail(key, 'I12', text)
      }
    }
  }

  /**
   * E1: segment digests are those of the rows, whatever crashed in between.
   *
   * @param extent  `rows` leaves out the segments without any
   */
  checkDigests(node: SimNode, extent: 'rows' | 'whole'): void {
    const { findings } = this.#world
    const { replica, index, ring, disk } = node
    if (!replica || this.#disks.digestsDamaged(index)) return
    const expected = new Map<number, bigint>()
    for (const key of this.#world.keys.values()) {
      if ((key.copies[index] as Copy).damaged) return
      const record = disk.current('versions', Buffer.from(key.name, 'latin1'))
      const version = record && storedVersion(record, key.token)
      if (!version) continue
      const segment = segmentOfRowKey(key.rowKey, ring.partitions)
      const place = key.partition * limits.digestSegments + segment
      expected.set(place, (expected.get(place) ?? 0n) ^ hash64(version, key.token))
    }
    findings.checked('nodes whose digests were compared')
    const places = ring.partitions * limits.digestSegments
    const all = extent === 'whole' ? Array.from({ length: places }, (_none, at) => at) : undefined
    for (const place of all ?? expected.keys()) {
      const partition = Math.floor(place / limits.digestSegments)
      const segment = place % limits.digestSegments
      const digest = replica.segmentDigest(partition as Partition, segment)
      if (digest === (expected.get(place) ?? 0n)) continue
      const where = `partition ${partition}, segment ${segment}`
      findings.add('I12', `node ${index}: the digest of ${where} is not that of its rows`)
      return
    }
  }
}

const HINT = 'h'.charCodeAt(0)

/** Whether what a node owes of a partition is left to the comparison of copies (H2). */
function isMarked({ disk }: SimNode, key: Key): boolean {
  for (let at = 0; at < disk.keyCount('hints'); at++) {
    const name = disk.keyAt('hints', at)
    if (name && name[0] !== HINT && owes(key, name, disk.current('hints', name))) return true
  }
  return false
}
