/** What is measured beside what k6 measures by itself. All carry the tags `op` and `level`. */
import { Counter, Rate, Trend } from 'k6/metrics'

/** An operation as its client has it: with all tries, without what happened between them. */
export const opMs = new Trend('op_ms', true)
export const opFailed = new Rate('op_failed')
/** Tries after the first. */
export const retries = new Counter('retries')
/** Tries that too few replicas could take part in, or answered in time: 503 or 504. */
export const quorumUnmet = new Rate('quorum_unmet')

/** Acknowledged values that are gone although nothing that covers them was written. */
export const lostAck = new Counter('lost_ack')
/** Acknowledged values that were looked for. */
export const acksChecked = new Counter('acks_checked')
/** Keys that could not be read in the end, so that nothing is known of them. */
export const unverified = new Counter('unverified')

/** Reads that missed what the same client had been acknowledged before. */
export const staleRead = new Rate('stale_read')
/** Values that a read showed: 1 unless writers were concurrent. */
export const siblingsSeen = new Trend('siblings_seen')

/** From the acknowledgement, or from the end of a fault, until all replicas hold the same. */
export const convergenceMs = new Trend('convergence_ms', true)
export const converged = new Rate('converged')

/** One for each thing done to the cluster, with the tags `action` and `node`. */
export const faults = new Counter('faults')
