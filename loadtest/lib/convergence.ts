/**
 * How long until all replicas of a key hold the same. `/v1/explain` tells it: a question that
 * repairs nothing.
 */
import { sleep } from 'k6'
import http from 'k6/http'
import { write } from './client.ts'
import { client } from './keys.ts'
import { converged, convergenceMs } from './metrics.ts'
import { authorization, urls } from './settings.ts'

interface Explained {
  readonly holders: readonly { readonly role: string; readonly etag: string }[]
}

const POLL_SECONDS = 0.02
const GIVE_UP_MS = 10_000
const PAUSE_SECONDS = 1
let probes = 0

/** Acknowledged by one replica: when do the others have it? Then waits a second. */
export function probeConvergence(bucket: string): void {
  const key = `probe-${client()}-${probes++}`
  const about = { bucket, key, level: 'one', context: undefined } as const
  if (write(about, 'x').outcome === 'done') {
    awaitConvergence({ bucket, key, sinceMs: Date.now(), phase: 'quiet', giveUpMs: GIVE_UP_MS })
  }
  sleep(PAUSE_SECONDS)
}

/** @param sinceMs  by `Date.now()` */
export function awaitConvergence(parts: {
  readonly bucket: string
  readonly key: string
  readonly sinceMs: number
  readonly phase: 'quiet' | 'restart'
  readonly giveUpMs: number
}): void {
  const { bucket, key, sinceMs, phase, giveUpMs } = parts
  for (;;) {
    const isOne = holdTheSame(bucket, key)
    const ms = Date.now() - sinceMs
    if (isOne || ms > giveUpMs) {
      if (isOne) convergenceMs.add(ms, { phase })
      converged.add(isOne, { phase })
      return
    }
    sleep(POLL_SECONDS)
  }
}

function holdTheSame(bucket: string, key: string): boolean {
  const path = `/v1/explain/${bucket}/${encodeURIComponent(key)}`
  const answer = http.get(urls[0] + path, { headers: authorization, tags: { name: 'explain' } })
  if (answer.status !== 200) return false
  const { holders } = answer.json() as unknown as Explained
  const primaries = holders.filter(({ role }) => role === 'primary')
  const [first] = primaries
  return primaries.every(({ etag }) => etag !== '' && etag === first?.etag)
}
