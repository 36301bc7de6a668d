/**
 * The first epoch of a cluster.
 *
 * A cluster that is only configured has no leader to hand out a first table, and asking around
 * would let two halves begin differently. So epoch 1 is a function of the configured members: every
 * node works it out alone and comes to the same bytes. Digests are compared when nodes meet.
 */
import { epoch, ShoalError } from '@shoal/kernel'
import { hash64, hex64 } from './hash.ts'
import { faultsOfMembers, type Member, type MemberSetting, normaliseMembers } from './member.ts'
import { digestOf } from './ring-codec.ts'
import { faultsOfSizes, NO_PARENT, type RingRecord } from './ring-record.ts'
import { planTable } from './table/plan.ts'

export interface FoundingSettings {
  /** A digest of the cluster secret, so that clusters with equal names stay strangers. */
  readonly secretDigest: string
  /** In any order. */
  readonly members: readonly MemberSetting[]
  readonly partitions: number
  readonly replicas: number
}

/**
 * Epoch 1 of a configured cluster. Pure: the same settings give the same record on every machine,
 * whatever the order of the members.
 *
 * @throws SHOAL_CONFIG_INVALID naming every part that is wrong, in `details.errors`
 * Cost: plans the table, some milliseconds to some tens of them.
 */
export function foundRing(settings: FoundingSettings): RingRecord {
  const { partitions, replicas } = settings
  const members = normaliseMembers(settings.members)
  const faults = [...faultsOfSizes(partitions, replicas), ...faultsOfMembers(members)]
  if (faults.length > 0) {
    const [first] = faults
    const more = faults.length > 1 ? ` (and ${faults.length - 1} more)` : ''
    throw new ShoalError('SHOAL_CONFIG_INVALID', `${first?.field}: ${first?.message}${more}`, {
      errors: faults,
    })
  }
  const content = {
    clusterId: clusterIdOf(settings.secretDigest, members),
    epoch: epoch(1),
    parent: NO_PARENT,
    partitions,
    replicas,
    members,
    table: planTable({ partitions, replicas, members }),
  }
  return { ...content, digest: digestOf(content) }
}

function clusterIdOf(secretDigest: string, members: readonly Member[]): string {
  const names = [secretDigest, ...members.map((member) => member.id)]
  return hex64(hash64(Buffer.from(names.join('\0'))))
}
