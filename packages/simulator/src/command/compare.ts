import { findFirstDifference } from '../kernel/recorder.ts'
import { type EventRecord, eventKinds } from '../kernel/scheduler.ts'
import type { Plan } from '../plan/plan.ts'
import { simulate } from '../run.ts'

/** Where two runs of one plan part: the last hash they share lies before these events. */
export async function describeDifference(plan: Plan): Promise<string> {
  const difference = await findFirstDifference(async (recorder) => {
    await simulate(plan, { recorder })
  })
  if (!difference) return 'four more runs were alike: it depends on something that changes slowly'
  const [one, other] = [describeEvent(difference.one), describeEvent(difference.other)]
  return `the first difference: ${one} in one run, ${other} in the other`
}

const names = new Map<number, string>(
  Object.entries(eventKinds).map(([name, kind]) => [kind, name]),
)

function describeEvent(event: EventRecord | undefined): string {
  if (!event) return 'no event'
  const { number, time, kind, node, sequence, draws } = event
  const what = `${names.get(kind)}${node < 0 ? '' : ` at node ${node}`}`
  return `event ${number} (${what}, ${time} ms, sequence ${sequence}, ${draws} draws)`
}
