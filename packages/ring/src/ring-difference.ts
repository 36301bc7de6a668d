import type { Member } from './member.ts'
import type { RingRecord } from './ring-record.ts'

/** Named one by one at most; the rest is counted. */
const NAMED_MAX = 10

/**
 * What differs between two ring records, as sentences for the person who configured them. Empty
 * when their digests agree.
 */
export function ringDifference(mine: RingRecord, theirs: RingRecord): string[] {
  if (mine.digest === theirs.digest) return []
  const members = differenceOfMembers(mine, theirs)
  const settings = [
    ...differenceOf('partitions', mine.partitions, theirs.partitions),
    ...differenceOf('replicas', mine.replicas, theirs.replicas),
    ...members.slice(0, NAMED_MAX),
  ]
  if (members.length > NAMED_MAX) {
    settings.push(`${members.length - NAMED_MAX} more differences between the members`)
  }
  const origin = differenceOfOrigin(mine, theirs, settings.length === 0)
  if (settings.length + origin.length > 0) return [...settings, ...origin]
  return [differenceOfTables(mine, theirs)]
}

function differenceOf(name: string, here: number | string, there: number | string): string[] {
  return here === there ? [] : [`${name}: ${show(here)} here, ${show(there)} there`]
}

const show = (value: number | string): string => (value === '' ? 'none' : String(value))

function differenceOfMembers(mine: RingRecord, theirs: RingRecord): string[] {
  const here = new Map<string, Member>(mine.members.map((member) => [member.id, member]))
  const there = new Map<string, Member>(theirs.members.map((member) => [member.id, member]))
  const ids = [...new Set([...here.keys(), ...there.keys()])].sort()
  return ids.flatMap((id) => {
    const one = here.get(id)
    const other = there.get(id)
    if (!one) return [`member ${id} is missing here`]
    if (!other) return [`member ${id} is missing there`]
    return (['url', 'zone', 'host', 'weight'] as const).flatMap((part) =>
      differenceOf(`${part} of ${id}`, one[part], other[part]),
    )
  })
}

/**
 * The cluster id follows from members and secret, so it is worth a sentence only where the members
 * agree.
 */
function differenceOfOrigin(
  mine: RingRecord,
  theirs: RingRecord,
  settingsAgree: boolean,
): string[] {
  const epochs = differenceOf('epoch', mine.epoch, theirs.epoch)
  if (mine.clusterId !== theirs.clusterId) {
    if (!settingsAgree) return epochs
    return [
      `cluster: ${mine.clusterId} here, ${theirs.clusterId} there (another secret or founding)`,
      ...epochs,
    ]
  }
  const parents = epochs.length > 0 ? [] : differenceOf('parent', mine.parent, theirs.parent)
  return [...epochs, ...parents]
}

function differenceOfTables(mine: RingRecord, theirs: RingRecord): string {
  const differing = mine.table.filter(
    (set, partition) => set.join() !== theirs.table[partition]?.join(),
  ).length
  const places = `the placement of ${differing} of ${mine.partitions} partitions`
  return `${places}, with equal settings: do both nodes run the same version?`
}
