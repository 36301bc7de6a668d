import { ShoalError } from '@shoal/kernel'
import { decodeRing, type RingRecord } from '@shoal/ring'
import type { RingStamp } from '@shoal/wire'
import type { SwimEffect } from '../core/events.ts'
import type { MembershipParts } from './parts.ts'
import type { Questions } from './questions.ts'

type Fetch = Extract<SwimEffect, { readonly kind: 'fetchRing' }>

interface FetchParts extends Pick<MembershipParts, 'rings'> {
  readonly questions: Questions
  readonly onEvent: MembershipParts['onEvent']
}

/** Brings the newer ring of a peer to those who may take it, if it is what it should be. */
export function fetchRing({ from, ring: announced }: Fetch, parts: FetchParts): void {
  const { rings, questions, onEvent } = parts
  questions.fetchRing(from, (bytes) => {
    if (bytes === undefined) return
    const record = readRing(bytes)
    const reason = typeof record === 'string' ? record : faultOf(record, announced, rings)
    if (reason !== undefined) onEvent?.({ kind: 'ring-refused', from, reason })
    else rings.offer(record as RingRecord, from)
  })
}

function readRing(bytes: Buffer): RingRecord | string {
  try {
    return decodeRing(bytes)
  } catch (error) {
    if (error instanceof ShoalError) return error.message
    throw error
  }
}

/**
 * One epoch has one content (I9), and epochs do not go back. A peer may have a still newer one by
 * now: then its digest was announced by nobody.
 */
function faultOf(
  { clusterId, epoch, digest }: RingRecord,
  announced: RingStamp,
  rings: MembershipParts['rings'],
): string | undefined {
  if (clusterId !== rings.clusterId) return `it is of cluster ${clusterId}`
  if (epoch <= rings.stamp.epoch) return `its epoch is ${epoch}, ours ${rings.stamp.epoch}`
  if (epoch < announced.epoch) return `its epoch is ${epoch}, announced was ${announced.epoch}`
  if (epoch > announced.epoch || digest === announced.digest) return undefined
  return `its digest is ${digest}, announced was ${announced.digest}`
}
