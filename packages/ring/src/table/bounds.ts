/**
 * Step 1: how many copies of one partition a host and a zone may hold.
 *
 * "No two copies in one zone" cannot be the rule: with fewer zones than copies it has no answer.
 * The rule is: as level as the sizes allow. Hosts come first, because one machine fails more often
 * than a zone does: a copy never shares a host while another host has room, even at the price of
 * sharing a zone. Zones are then levelled within what the hosts leave open.
 */
import { invariant } from '@shoal/kernel'
import type { Shape } from './canonical.ts'

/** Fewest and most copies of one partition, by host and by zone. Hosts nest in zones. */
export interface Bounds {
  readonly hostLow: Uint8Array
  readonly hostHigh: Uint8Array
  readonly zoneLow: Uint8Array
  readonly zoneHigh: Uint8Array
}

export function boundsOf(shape: Shape): Bounds {
  const sizes = shape.hosts.map((nodes) => nodes.length)
  const hosts = levelled(
    shape.copies,
    sizes.map(() => 0),
    sizes,
  )
  const total = (of: Uint8Array, zone: readonly number[]): number =>
    zone.reduce((sum, host) => sum + (of[host] as number), 0)
  const zones = levelled(
    shape.copies,
    shape.zones.map((zone) => total(hosts.low, zone)),
    shape.zones.map((zone) => Math.min(total(hosts.high, zone), shape.copies)),
  )
  return {
    hostLow: hosts.low,
    hostHigh: hosts.high,
    zoneLow: zones.low,
    zoneHigh: zones.high,
  }
}

/**
 * Smallest level L at which the groups together can hold all copies; each group then holds between
 * what level L − 1 and level L give it, within its own least and most.
 */
function levelled(
  copies: number,
  least: readonly number[],
  most: readonly number[],
): { low: Uint8Array; high: Uint8Array } {
  const at = (level: number): Uint8Array =>
    Uint8Array.from(most, (size, group) => Math.min(size, Math.max(level, least[group] as number)))
  const sum = (counts: Uint8Array): number => counts.reduce((total, count) => total + count, 0)
  let level = 1
  while (level < copies && sum(at(level)) < copies) level++
  invariant(sum(at(level)) >= copies, 'there are at least as many members as copies')
  return { low: at(level - 1), high: at(level) }
}
