import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { findFirstDifference } from '../kernel/recorder.ts'
import { generatePlan } from '../plan/generate.ts'
import type { Plan } from '../plan/plan.ts'
import { shrink } from '../plan/shrink.ts'
import { simulate } from '../run.ts'
import { describeFailure } from './failure.ts'
import type { Say } from './many-seeds.ts'
import type { Settings } from './settings.ts'
import { Summary } from './summary.ts'

/** A regression is a plan, and a sentence about what it once broke. */
export interface KeptPlan {
  readonly broke: string
  readonly plan: Plan
}

/** The plan that the settings name: of a file, or of a seed. */
export function planOf({ plan, seed, duration, rate }: Settings): Plan {
  if (plan === undefined) {
    return generatePlan(seed ?? 1, { duration, ...(rate === undefined ? {} : { rate }) })
  }
  const read: Plan | KeptPlan = JSON.parse(readFileSync(plan, 'utf8'))
  return 'plan' in read ? read.plan : read
}

/** Runs one plan and tells all of it. */
export async function replay(settings: Settings, say: Say): Promise<boolean> {
  const plan = planOf(settings)
  say(`${JSON.stringify(plan.cluster)}`)
  for (const { name, properties } of plan.buckets) say(`${name} ${JSON.stringify(properties)}`)
  say(`injections ${JSON.stringify(plan.injections)}`)
  say(`${plan.operations.length} operations, ${plan.faults.length} faults`)
  const started = performance.now()
  const before = process.cpuUsage()
  const result = await simulate(plan, { goOn: settings.replay })
  const { user, system } = process.cpuUsage(before)
  const summary = new Summary()
  summary.add({ result, cpuMillis: (user + system) / 1_000 })
  for (const line of summary.lines(performance.now() - started)) say(line)
  say(`hash ${result.hash}`)
  for (const line of describeFailure(result, settings)) say(line)
  return result.failures.length === 0
}

/** Runs one plan twice. @returns  whether both did the same */
export async function compareRuns(settings: Settings, say: Say): Promise<boolean> {
  const plan = planOf(settings)
  const difference = await findFirstDifference(async (recorder) => {
    await simulate(plan, { recorder })
  })
  if (!difference) {
    say('both runs did the same')
    return true
  }
  say('the first event in which they differ:')
  for (const event of [difference.one, difference.other]) {
    say(`  ${event ? JSON.stringify(event) : 'this run had ended'}`)
  }
  return false
}

/** Makes the plan smaller and writes it down, each time it has become so. */
export async function shrinkToFile(settings: Settings, file: string, say: Say): Promise<boolean> {
  mkdirSync(dirname(file), { recursive: true })
  let message = ''
  const shrunk = await shrink(planOf(settings), {
    run: async (plan) => {
      const { failures } = await simulate(plan)
      const [failure] = failures
      if (failure) message = `${failure.rule}: ${failure.message.split('\n')[0]}`
      return failure
    },
    runsMax: settings.runs,
    progress: (plan, runs) => {
      const { operations, faults, seed } = plan
      write(file, { broke: message, plan })
      say(`  run ${runs}: ${operations.length} operations, ${faults.length} faults, seed ${seed}`)
    },
  })
  if (!shrunk) {
    say('the plan does not fail: nothing to make smaller')
    return false
  }
  const { operations, faults } = shrunk.plan
  const size = `${operations.length} operations and ${faults.length} faults`
  say(`${file}: ${shrunk.rule} with ${size}, after ${shrunk.runs} runs`)
  say('Say in it, in a sentence, what it broke.')
  return true
}

function write(file: string, kept: KeptPlan): void {
  writeFileSync(file, `${JSON.stringify(kept, undefined, 2)}\n`)
}
