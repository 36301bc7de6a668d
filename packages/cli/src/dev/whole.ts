/**
 * A node serves before it has reached its peers. A local cluster is ready when all see each other.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { ClusterState } from '../cluster/state.ts'

const ASK_TIMEOUT_MS = 1_000
const ASK_EVERY_MS = 20

/** @returns false when they did not find each other in time */
export async function isWhole(urls: readonly string[], timeoutMs: number): Promise<boolean> {
  const end = performance.now() + timeoutMs
  const found = await Promise.all(urls.map((url) => seesAll(url, end)))
  return found.every(Boolean)
}

async function seesAll(url: string, end: number): Promise<boolean> {
  while (performance.now() < end) {
    if (await seesAllNow(url)) return true
    await pause(ASK_EVERY_MS)
  }
  return false
}

async function seesAllNow(url: string): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(ASK_TIMEOUT_MS)
    const response = await fetch(`${url}/v1/cluster`, { signal })
    const { health } = (await response.json()) as ClusterState
    return health.nodesUp === health.nodesTotal
  } catch {
    return false
  }
}
