import type { Random } from '@shoal/kernel'
import type { Column } from '@shoal/storage'
import type { DiskDamage } from '../check/observer.ts'
import type { DiskFault } from '../plan/plan.ts'
import { CLEAN_STOP_AGE_MAX, type Machine } from './machine.ts'

/** What a fault of a disk has done. Without `undo` it stays until something is written over it. */
export interface DiskEffect {
  readonly undo?: () => void
  readonly damage?: readonly DiskDamage[]
}

/** Rows and versions have checksums of ours; the rest is guarded by those of the real store. */
const CHECKED_BY_US: readonly Column[] = ['rows', 'versions']

/** Undefined when there is nothing on the disk that it could hit. */
export function strikeDisk(
  { disk }: Machine,
  { fault, column, pick }: DiskFault,
  random: Random,
): DiskEffect | undefined {
  const at = column ?? (pick % 3 === 0 ? 'versions' : 'rows')
  switch (fault) {
    case 'full':
      disk.setFull(true)
      return { undo: () => disk.setFull(false) }
    case 'slow':
      disk.setSlowness(2 + (pick % 399))
      return { undo: () => disk.setSlowness(1) }
    case 'write-fails':
      disk.failNextWrite()
      return {}
    case 'sync-fails':
      disk.failNextSync()
      return {}
    case 'misdirected-write':
      disk.misdirectNextWrite(CHECKED_BY_US.includes(at) ? at : 'rows', random)
      return {}
    case 'read-fails':
      return failReads(disk, at, pick)
    default:
      return damageDisk(disk, { fault, column, pick, random })
  }
}

function damageDisk(
  disk: Machine['disk'],
  options: {
    readonly fault: 'bit-rot' | 'read-error' | 'stale-read'
    readonly column: Column | undefined
    readonly pick: number
    readonly random: Random
  },
): DiskEffect | undefined {
  const { fault, pick } = options
  // A bad block may hold both records of a key.
  const both = options.column === undefined && pick % 3 === 1
  const column = options.column ?? (pick % 3 === 0 ? 'versions' : 'rows')
  const key = keyToHit(disk, column, pick)
  if (!key) return undefined
  const places = [{ column, key }]
  if (both && fault !== 'stale-read') places.push({ column: 'versions', key: nameOf(key) })
  const damage = places.flatMap((place) => damageRecord(disk, { ...options, ...place }) ?? [])
  return damage.length > 0 ? { damage } : undefined
}

/** Half of the time among those written last, which are used again; else among all. */
function keyToHit(disk: Machine['disk'], column: Column, pick: number): Buffer | undefined {
  const recent = pick % 2 === 0 ? recentKey(disk, column, (pick >>> 1) % RECENT) : undefined
  if (recent) return recent
  const count = disk.keyCount(column)
  return count === 0 ? undefined : disk.keyAt(column, pick % count)
}

const RECENT = 32

function recentKey(disk: Machine['disk'], column: Column, back: number): Buffer | undefined {
  const { history } = disk
  for (let at = history.length - 1 - back; at >= 0; at--) {
    const operation = history[at]?.operations.find((each) => each.column === column && each.value)
    const key = operation && Buffer.from(operation.key, 'latin1')
    if (key && disk.current(column, key)) return key
  }
  return undefined
}

/** Names the version record of a row. */
const nameOf = (rowKey: Buffer): Buffer => Buffer.from(rowKey.subarray(TOKEN_BYTES))
const TOKEN_BYTES = 8

/** An error that passes: it says nothing about what is on the disk. */
function failReads(disk: Machine['disk'], column: Column, pick: number): DiskEffect | undefined {
  const key = keyToHit(disk, column, pick)
  if (!key) return undefined
  disk.failRead(column, key, 'SHOAL_STORE_FAILED')
  return { undo: () => disk.allowRead(column, key) }
}

function damageRecord(
  disk: Machine['disk'],
  options: {
    readonly fault: 'bit-rot' | 'read-error' | 'stale-read'
    readonly column: Column
    readonly key: Buffer
    readonly random: Random
  },
): DiskDamage | undefined {
  const { fault, column, key, random } = options
  const damage = (kind: DiskDamage['kind']): DiskDamage => ({
    kind,
    column,
    key: key.toString('latin1'),
  })
  if (fault === 'stale-read') return disk.staleRead(column, key) ? damage('stale') : undefined
  // A flipped bit in what we have no checksum for is found by the checksum of its block.
  if (fault === 'bit-rot' && CHECKED_BY_US.includes(column)) {
    return disk.corrupt(column, key, random) ? damage('changed') : undefined
  }
  disk.failRead(column, key)
  return damage('unreadable')
}

/** Nothing fails by itself any more. What is damaged stays so. */
export function mendDisk({ disk }: Machine): void {
  disk.setFull(false)
  disk.setSlowness(1)
  disk.failNextWrite(false)
  disk.failNextSync(false)
  disk.misdirectNextWrite('rows', undefined)
  disk.freshReads()
}

/**
 * How many of the last batches to take back so that the disk is an older copy of itself.
 *
 * Copies are often made while a node is stopped: such a disk says that its stop was clean. One that
 * is put back within the time for which that counts cannot be told from a restart, so the copy is
 * then one of the moment before the stop.
 */
export function chooseRollback(machine: Machine, random: Random): number {
  const { history } = machine.disk
  if (history.length === 0) return 0
  const stopped = history.findLastIndex((batch) => {
    const marker = markerIn(batch)?.value
    return marker && isOutdated(machine, marker)
  })
  if (stopped >= 0 && random.below(2) === 0) return history.length - 1 - stopped
  const most = Math.min(history.length, 2 ** random.below(12))
  const left = history.length - 1 - random.below(most)
  const last = history.findLastIndex((batch, at) => at < left && markerIn(batch))
  const marker = history[last] && markerIn(history[last])?.value
  return history.length - (marker && !isOutdated(machine, marker) ? last : left)
}

const markerIn = ({ operations }: Machine['disk']['history'][number]) =>
  operations.find(({ column, key }) => column === 'meta' && key === MARKER)

/** By its clock as it is, and as it will be when it is right again. */
function isOutdated({ clock }: Machine, marker: Buffer): boolean {
  const age = clock.wall() - marker.readDoubleBE(1)
  return Math.min(age, age - clock.wallError) >= CLEAN_STOP_AGE_MAX
}

/** The marker of a clean stop. */
const MARKER = 'clean-shutdown'
