import type { SimNode } from '../cluster/sim-cluster.ts'
import { lastWrites } from '../workload/last-writes.ts'
import { runLoss } from './loss.ts'
import type { Stage } from './stage.ts'

/** By then nobody turns first to it. Probes find that out, for nobody asks it for anything. */
const AVOIDED = 15_000
/** Whoever is gone for so long, and nothing else is wrong, is taken for dead by all others. */
const GIVEN_UP = 40_000
const SECOND_AT = 53_000
const BACK_AFTER = 56_000
const SECOND_FOR = 15_000
const WAIT_EVERY = 500
/** Keys that the node misses. */
const MISSED_WRITES = 60
/** With so many nodes a second one may go, and every write still finds somebody. */
const NODES_FOR_TWO = 5

/**
 * What a plan meets by chance happens once in every run, when all is well again: a node is gone,
 * and everybody finds out, first that it is silent (G5) and then that it is dead (G3). Others take
 * its writes, it comes back and is told of them. Meanwhile a second one has left, which is owed
 * little: who waits for hints waits for those, too (H4). And when the first is back, a third loses
 * what it had.
 */
export async function runOutage(stage: Stage): Promise<void> {
  const { cluster, plan, workload, checks, runFor } = stage
  const { nodes } = plan.cluster
  const first = plan.seed % nodes
  const second = (first + 1 + (plan.seed % (nodes - 1))) % nodes
  const crash = { kind: 'crash', at: 0, unsynced: 'random' } as const
  cluster.applyFault({ ...crash, id: 'outage', node: first, downFor: BACK_AFTER })
  await runFor(AVOIDED)
  checks?.avoided(first)
  await runFor(GIVEN_UP - AVOIDED)
  checks?.givenUp(first)
  const missed = lastWrites(plan, { count: MISSED_WRITES, pace: 200, label: 'out-' })
  workload.schedule(missed)
  await runFor(SECOND_AT - GIVEN_UP)
  const hasSecond = nodes >= NODES_FOR_TWO
  if (hasSecond) {
    cluster.applyFault({ ...crash, id: 'outage-2', node: second, downFor: SECOND_FOR })
    workload.schedule(lastWrites(plan, { count: 6, pace: 400, label: 'two-' }))
  }
  for (let at = SECOND_AT; at < BACK_AFTER; at += WAIT_EVERY) {
    await runFor(WAIT_EVERY)
    for (const node of cluster.nodes) waitForHints(node, stage.fail)
  }
  await runLoss(stage, { back: first, away: hasSecond ? second : undefined }, missed)
  await runFor(SECOND_AT + SECOND_FOR - BACK_AFTER)
}

/** A wait ends when each hint that was there when it began is gone (H4). */
function waitForHints(node: SimNode, fail: Stage['fail']): void {
  const { handoff } = node
  if (!handoff) return
  const { ended } = handoff.sync()
  const awaited = hintsOf(node)
  void ended.then(() => {
    if (node.handoff !== handoff) return
    const left = hintsOf(node).filter((name) => awaited.includes(name)).length
    if (left > 0) fail('H4', `node ${node.index} owes ${left} rows, and a wait for them is over`)
  })
}

function hintsOf({ disk }: SimNode): string[] {
  const names: string[] = []
  for (let at = 0; at < disk.keyCount('hints'); at++) {
    const name = disk.keyAt('hints', at)
    if (name?.[0] === HINT) names.push(name.toString('latin1'))
  }
  return names
}

const HINT = 'h'.charCodeAt(0)
