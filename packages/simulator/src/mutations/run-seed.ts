import { generatePlan } from '../plan/generate.ts'
import { simulate } from '../run.ts'

/** Longer messages are cut: the seed replays the run. */
const MESSAGE_CHARS_MAX = 160

/** What the simulation noticed first in the run of a seed, or undefined. */
export async function runSeed(seed: number, seconds: number): Promise<string | undefined> {
  const { failures } = await simulate(generatePlan(seed, { duration: seconds * 1_000 }))
  const [first] = failures
  if (first === undefined) return undefined
  const message = first.message.split('\n', 1)[0] ?? ''
  return `${first.rule}: ${message.slice(0, MESSAGE_CHARS_MAX)}`
}
