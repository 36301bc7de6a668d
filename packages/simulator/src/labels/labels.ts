/**
 * States worth reaching: where stores like this one have gone wrong before. Each run notes which of
 * them it came to; one that no seed of a long run reaches is a hole in the workload, because no
 * check ever looked there.
 */
export const LABELS = [
  // What clients were shown.
  'a read showed siblings',
  'a read showed ten siblings or more',
  'a read showed a deleted key with its context',
  'a read hid an expired value',
  'a read of a key never written',
  'a write left siblings',
  'a write dropped all siblings',
  'one request stands twice beside itself',
  'a listing went over several pages',
  // Quorums.
  'an answer at one of several replicas',
  'a write acknowledged before it was on any disk',
  'a strict read wrote back before its answer',
  'a read repaired a replica afterwards',
  'a read of all replicas met one behind',
  'a read was hedged',
  'a read asked more for its session',
  'a write was passed on to a replica',
  'a passed write ended unknown',
  'a write of unknown outcome was seen afterwards',
  'a strict read failed',
  'a read failed while its node was up',
  // Refusals.
  'refused: siblings full',
  'refused: context of another key',
  'refused: damaged context',
  'refused: blind write',
  'refused: precondition',
  'refused: session unsatisfied',
  'refused: too few reachable',
  'refused: deadline',
  'refused: too few answers',
  'refused: damaged data',
  'refused: overload',
  'refused: disk full',
  'refused: consistency out of range',
  // Retries.
  'a lost answer was asked for again here',
  'a lost answer was asked for again elsewhere',
  'a repeated request was remembered',
  'a repeated request was found in the row',
  'a repeated request found a newer value in its place',
  // Disks and processes.
  'a crash between batch and sync',
  'a crash kept unsynced batches',
  'a crash left a hole',
  'a crash while booting',
  'three boots within ten seconds',
  'a clean restart kept its actors',
  'an unclean restart with data',
  'an actor was replaced while running',
  'a node stopped itself for its disk',
  'a damaged record was written again',
  'a damaged copy was met',
  'all nodes were down',
  'no majority was up',
  'a node was paused for longer than silence is borne',
  'a disk was replaced and filled again',
  // Who is alive.
  'a node was suspected',
  'a node was declared dead',
  'a node that was declared dead came back',
  'a node contradicted what was said of it',
  // Stamps.
  'a stamp was clamped',
  'a value of last-write-wins was hidden and dropped',
  // Sizes.
  'a key had ten siblings to warn of',
  'a version was read from disk',
  'values were needed for a merge',
] as const

export type Label = (typeof LABELS)[number]
