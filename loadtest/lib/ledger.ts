/**
 * Keys with one writer, who remembers what was acknowledged. From that alone follows what a read
 * has to show, whatever happened to the cluster meanwhile: each acknowledged value, unless the same
 * client sent a later write whose context covered it. A write of unknown outcome may have replaced
 * what it covered, and need not be there itself.
 */
import { sleep } from 'k6'
import { type Level, read, remove, type Shown, type Written, write } from './client.ts'
import { client, padding } from './keys.ts'
import { acksChecked, lostAck, staleRead, unverified } from './metrics.ts'

interface Entry {
  context: string | undefined
  /** Acknowledged values that must be shown, and whether the context covers them. */
  must: Map<string, boolean>
}

interface Operation {
  readonly key: string
  readonly level: Level
}

const VERIFY_TRIES = 20
const VERIFY_PAUSE_SECONDS = 0.5

export class Ledger {
  readonly #bucket: string
  readonly #entries = new Map<string, Entry>()
  /** Part of each value: one that an earlier run left must not pass for ours. */
  readonly #born = Date.now().toString(36)
  #written = 0

  constructor(bucket: string) {
    this.#bucket = bucket
  }

  /** @param bytes  of the whole value */
  write(operation: Operation, bytes: number): Written {
    const value = `${client()}.${this.#born}.${this.#written++}`
    const head = `${value}|`
    const body = head + padding(Math.max(0, bytes - head.length))
    return this.#change(operation, value, (settings) => write(settings, body))
  }

  remove(operation: Operation): Written {
    return this.#change(operation, undefined, remove)
  }

  #change(
    { key, level }: Operation,
    value: string | undefined,
    send: (settings: Parameters<typeof remove>[0]) => Written,
  ): Written {
    const entry = this.#entry(key)
    const before = entry.must
    // Settled before it is sent: an iteration that is cut off leaves a write of unknown outcome.
    entry.must = new Map([...before].filter(([, covered]) => !covered))
    const written = send({ bucket: this.#bucket, key, level, context: entry.context })
    if (written.outcome === 'refused') entry.must = before
    if (written.outcome === 'done') {
      entry.context = written.context
      if (value !== undefined) entry.must.set(value, true)
    }
    return written
  }

  /** Of a key of anybody; of an own one it is checked. */
  read({ key, level }: Operation): Shown {
    const shown = read({ bucket: this.#bucket, key, level })
    const entry = this.#entries.get(key)
    if (entry === undefined || !shown.ok) return shown
    const missing = missingIn(shown, entry)
    if (entry.must.size > 0) staleRead.add(missing.length > 0, { op: 'get', level })
    // A client keeps the newest context it has: that of a stale read would make siblings.
    if (missing.length === 0) {
      entry.context = shown.context
      for (const value of entry.must.keys()) entry.must.set(value, true)
    }
    return shown
  }

  /** Looks for everything that must be there, on all replicas. */
  verify(): void {
    for (const [key, entry] of this.#entries) {
      const shown = insist({ bucket: this.#bucket, key })
      if (shown === undefined) {
        unverified.add(1)
        continue
      }
      const missing = missingIn(shown, entry)
      acksChecked.add(entry.must.size)
      lostAck.add(missing.length)
      if (missing.length > 0) {
        console.error(
          `lost: ${this.#bucket}/${key} shows ${shown.values.map(nameOf)}, not ${missing}`,
        )
      }
    }
  }

  #entry(key: string): Entry {
    const known = this.#entries.get(key)
    if (known !== undefined) return known
    const entry = { context: undefined, must: new Map<string, boolean>() }
    this.#entries.set(key, entry)
    return entry
  }
}

const nameOf = (text: string): string => text.split('|', 1).join('')

function missingIn({ values }: Shown, { must }: Entry): string[] {
  const shown = new Set(values.map(nameOf))
  return [...must.keys()].filter((value) => !shown.has(value))
}

/** After a fault all replicas may not be back yet: asks until they are, or gives up. */
export function insist(about: { bucket: string; key: string }): Shown | undefined {
  for (let tries = 0; tries < VERIFY_TRIES; tries++) {
    const shown = read({ ...about, level: 'all' })
    if (shown.ok) return shown
    sleep(VERIFY_PAUSE_SECONDS)
  }
  return undefined
}
