/** The members of a ring: what is known of each, and what is allowed. */
import { type FieldError, limits, type NodeId } from '@shoal/kernel'
import { byId, weightInThousandths } from './table/canonical.ts'

export interface Member {
  readonly id: NodeId
  /** Where its peers and clients reach it: scheme, host and port, without a path. */
  readonly url: string
  /** '' = no label. Copies are spread over zones as far as their sizes allow. */
  readonly zone: string
  /**
   * '' = a machine of its own. Two nodes of one host never hold the same partition while another
   * host has room.
   */
  readonly host: string
  /** Relative capacity, 0.1 to 1,000, in thousandths. */
  readonly weight: number
}

/** A member as configured: labels and weight may be left out. */
export interface MemberSetting {
  readonly id: NodeId
  readonly url: string
  readonly zone?: string
  readonly host?: string
  /** Default 1. */
  readonly weight?: number
}

const NODE_ID = new RegExp(`^[A-Za-z0-9._-]{1,${limits.nodeIdCharsMax}}$`)
const LABEL = new RegExp(`^[A-Za-z0-9._:/-]{0,${limits.memberLabelCharsMax}}$`)

/**
 * The same members in the one form that every node derives: sorted, URLs as origins, weights in
 * thousandths.
 */
export function normaliseMembers(settings: readonly MemberSetting[]): Member[] {
  return settings
    .map(({ id, url, zone = '', host = '', weight = 1 }) => ({
      id,
      url: originOf(url) ?? url,
      zone,
      host,
      weight: weightInThousandths(weight) / 1_000,
    }))
    .sort(byId)
}

/** Everything wrong with these members, by the member and its part. Empty when all is well. */
export function faultsOfMembers(members: readonly Member[]): FieldError[] {
  const faults: FieldError[] = []
  if (members.length < 1 || members.length > limits.nodesMax) {
    faults.push({
      field: 'members',
      message: `a ring has 1 to ${limits.nodesMax} members, not ${members.length}`,
    })
  }
  for (const member of members) faults.push(...faultsOfMember(member))
  return [
    ...faults,
    ...repeated(members, 'id'),
    ...repeated(members, 'url'),
    ...hostsInTwoZones(members),
  ]
}

function faultsOfMember(member: Member): FieldError[] {
  const { id, url, zone, host, weight } = member
  const faults: FieldError[] = []
  const fault = (part: string, message: string): void => {
    faults.push({ field: `members.${id}.${part}`, message })
  }
  if (!NODE_ID.test(id)) {
    fault('id', `a node id is 1 to ${limits.nodeIdCharsMax} of A-Z a-z 0-9 . _ -`)
  }
  if (originOf(url) === undefined || url.length > limits.memberUrlCharsMax) {
    fault('url', `${JSON.stringify(url)} is not an http or https URL of scheme, host and port`)
  }
  for (const [part, label] of [['zone', zone] as const, ['host', host] as const]) {
    if (!LABEL.test(label)) {
      fault(part, `a ${part} is at most ${limits.memberLabelCharsMax} of A-Z a-z 0-9 . _ : / -`)
    }
  }
  // Written so that NaN fails too.
  if (!(weight >= limits.memberWeightMin && weight <= limits.memberWeightMax)) {
    fault(
      'weight',
      `a weight is ${limits.memberWeightMin} to ${limits.memberWeightMax}, not ${weight}`,
    )
  }
  return faults
}

/** Scheme, host and port of a URL that has nothing else; undefined for any other text. */
function originOf(url: string): string | undefined {
  if (!URL.canParse(url)) return undefined
  const { protocol, origin, pathname, search, hash, username, password } = new URL(url)
  if (protocol !== 'http:' && protocol !== 'https:') return undefined
  if (pathname !== '/' || search !== '' || hash !== '') return undefined
  return username === '' && password === '' ? origin : undefined
}

function repeated(members: readonly Member[], part: 'id' | 'url'): FieldError[] {
  const first = new Map<string, NodeId>()
  return members.flatMap((member) => {
    const other = first.get(member[part])
    if (other === undefined) first.set(member[part], member.id)
    if (other === undefined) return []
    return [
      {
        field: `members.${member.id}.${part}`,
        message: `${member[part]} is used twice (by ${other})`,
      },
    ]
  })
}

function hostsInTwoZones(members: readonly Member[]): FieldError[] {
  const first = new Map<string, Member>()
  return members.flatMap((member) => {
    if (member.host === '') return []
    const other = first.get(member.host) ?? member
    first.set(member.host, other)
    if (other.zone === member.zone) return []
    return [
      {
        field: `members.${member.id}.zone`,
        message:
          `host ${member.host} is in zone "${other.zone}" by ${other.id} ` +
          `and in "${member.zone}" here`,
      },
    ]
  })
}
