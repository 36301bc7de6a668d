/** How far copies may be apart, in words. */
import type { Budget, ClusterRepairs } from './api.ts'
import { bytes, duration } from './format.ts'

/** As long as some were not compared, or a disk lost them, a time would promise too much. */
export const isKnown = ({ debt, nodes }: ClusterRepairs): boolean =>
  debt.unverified === 0 && nodes.every(({ lostPartitions }) => lostPartitions === 0)

/** One number for the cluster, in a word or two. */
export const apart = (repairs: ClusterRepairs): string =>
  isKnown(repairs) ? duration(repairs.debt.ageMs) : 'being compared'

/** What background work may take now. */
export function allowance({ bytesPerSecond, paused, quiet, waitingBytes, etaMs }: Budget): string {
  if (paused) return 'paused'
  const rate = `${bytes(bytesPerSecond)}/s${quiet ? ', quiet hours' : ''}`
  if (waitingBytes === 0) return rate
  const wait = etaMs === undefined ? '' : `, ${duration(etaMs)} left`
  return `${rate}, ${bytes(waitingBytes)} waiting${wait}`
}

/** `3, 7–9`: neighbours together, and no more than fit a line. */
export function spans(numbers: readonly number[], most = 12): string {
  const found: [number, number][] = []
  for (const number of [...numbers].sort((one, other) => one - other)) {
    const last = found.at(-1)
    if (last && number === last[1] + 1) last[1] = number
    else found.push([number, number])
  }
  const shown = found
    .slice(0, most)
    .map(([from, to]) => (from === to ? `${from}` : `${from}–${to}`))
  return found.length > most ? `${shown.join(', ')} …` : shown.join(', ')
}
