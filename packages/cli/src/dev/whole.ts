/**
 * A node serves before it has reached its peers, and counts to strict reads when its new disk has
 * been compared with theirs. A local cluster is ready when all nodes find it healthy.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { ClusterState } from '../cluster/state.ts'

const ASK_TIMEOUT_MS = 1_000
const ASK_EVERY_MS = 20

/** @returns false when they did not find it so in time */
export async function isWhole(urls: readonly string[], timeoutMs: number): Promise<boolean> {
  const end = performance.now() + timeoutMs
  const found = await Promise.all(urls.map((url) => findsIt(url, end)))
  return found.every(Boolean)
}

async function findsIt(url: string, end: number): Promise<boolean> {
  while (performance.now() < end) {
    if (await findsItNow(url)) return true
    await pause(ASK_EVERY_MS)
  }
  return false
}

async function findsItNow(url: string): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(ASK_TIMEOUT_MS)
    const response = await fetch(`${url}/v1/cluster`, { signal })
    const { health } = (await response.json()) as ClusterState
    return health.status === 'healthy'
  } catch {
    return false
  }
}
