import { generatePlan } from '../plan/generate.ts'
import type { Plan } from '../plan/plan.ts'
import { simulate } from '../run.ts'

/** Longer messages are cut: the seed replays the run. */
const MESSAGE_CHARS_MAX = 160

/**
 * What the simulation noticed first in the run of a seed, or undefined.
 *
 * @param needs  see `Mutation`: a plan with none of these is not run
 */
export async function runSeed(
  seed: number,
  seconds: number,
  needs?: readonly string[],
): Promise<string | undefined> {
  const plan = generatePlan(seed, { duration: seconds * 1_000 })
  if (needs && !needs.some((need) => has(plan, need))) return undefined
  const { failures } = await simulate(plan)
  const [first] = failures
  if (first === undefined) return undefined
  const message = first.message.split('\n', 1)[0] ?? ''
  return `${first.rule}: ${message.slice(0, MESSAGE_CHARS_MAX)}`
}

function has({ faults, injections }: Plan, need: string): boolean {
  if ((injections[need] ?? 0) > 0) return true
  return faults.some((fault) => {
    const isDisk = fault.kind === 'disk' && `disk ${fault.fault}` === need
    return fault.kind === need || isDisk
  })
}
