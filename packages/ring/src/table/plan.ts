/**
 * The planner: who holds which partition.
 *
 * The classic rule, "the next N owners clockwise", cannot keep neighbours on the ring apart in
 * common shapes: with three zones and three copies the owners would have to repeat with period 3,
 * and 3 never divides a power of two. A table has no seam. Its constraints (copies by partition, by
 * zone, by host; load by node) are nested, so it is a network flow: loads of exactly floor or
 * ceiling always exist, and the table that moves least data is found in polynomial time.
 *
 * This folder has one file for each step; `Draft` is the state they share.
 */
import { invariant } from '@shoal/kernel'
import { canonicalShape, type PlacementTable, type TableInput } from './canonical.ts'
import { balanceLoads, cancelMoves } from './chains.ts'
import { Draft } from './draft.ts'
import { fillHoles } from './fill.ts'
import { keepPrevious } from './keep.ts'
import { orderSets } from './primaries.ts'
import { spreadPairs } from './spread.ts'

/**
 * Plans the table for these members: every node at floor or ceiling of its fair share, copies level
 * over hosts and zones, leads level too; and, given a previous table, with as little data moved as
 * possible.
 *
 * @returns indices into the members sorted by id
 * Pure and the same on every machine, whatever the order of the members.
 * Cost: some milliseconds; a first table of 1,024 partitions for 200 nodes takes tens of them.
 */
export function planTable(input: TableInput): PlacementTable {
  const { partitions, replicas } = input
  invariant(Number.isInteger(partitions) && partitions >= 1, 'a table has partitions')
  invariant(Number.isInteger(replicas) && replicas >= 1, 'a table holds at least one copy')
  const draft = new Draft(canonicalShape(input), input.previous)
  keepPrevious(draft)
  fillHoles(draft)
  balanceLoads(draft)
  cancelMoves(draft)
  spreadPairs(draft)
  return orderSets(draft, input.previous)
}
