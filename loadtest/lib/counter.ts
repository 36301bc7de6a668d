/**
 * Keys with many writers: a counter that each of them may raise, as Dynamo's shopping cart. A value
 * holds how far each client has counted. Who writes merges what it was shown, raises its own count
 * and sends the context of all that; so whatever replaces a value holds its counts, and a count
 * that was acknowledged must be in the merge of what is shown, for ever.
 */
import { sleep } from 'k6'
import { type Level, read, type Shown, type Written, write } from './client.ts'
import { client } from './keys.ts'
import { insist } from './ledger.ts'
import { acksChecked, lostAck, staleRead, unverified } from './metrics.ts'

/** By the number of the client. */
type Counts = Record<string, number>

interface Mine {
  /** The highest count sent, and the highest acknowledged; an earlier run may have begun it. */
  sent: number
  acknowledged: number
  /** How often this client was acknowledged a count. */
  times: number
}

export class Counters {
  readonly #bucket: string
  readonly #mine = new Map<string, Mine>()

  constructor(bucket: string) {
    this.#bucket = bucket
  }

  /** @returns what is shown, merged; undefined when it could not be read */
  read(key: string, level: Level): { shown: Shown; counts: Counts } | undefined {
    const shown = read({ bucket: this.#bucket, key, level })
    if (!shown.ok) return undefined
    const counts = merge(shown)
    const mine = this.#mine.get(key)
    if (mine !== undefined && mine.acknowledged > 0) {
      staleRead.add(ownCount(counts) < mine.acknowledged, { op: 'get', level })
    }
    return { shown, counts }
  }

  /**
   * Reads, thinks, writes.
   *
   * @param thinkSeconds  others may write meanwhile, and then both values stay as siblings
   */
  raise(key: string, level: Level, thinkSeconds = 0): Written | undefined {
    const seen = this.read(key, level)
    if (seen === undefined) return undefined
    if (thinkSeconds > 0) sleep(thinkSeconds)
    const mine = this.#mine.get(key) ?? { sent: ownCount(seen.counts), acknowledged: 0, times: 0 }
    this.#mine.set(key, mine)
    mine.sent++
    const body = JSON.stringify({ ...seen.counts, [client()]: mine.sent })
    const { context } = seen.shown
    const written = write({ bucket: this.#bucket, key, level, context }, body)
    if (written.outcome === 'done') {
      mine.acknowledged = mine.sent
      mine.times++
    }
    return written
  }

  /** Looks for all that was acknowledged to this client, on all replicas. */
  verify(): void {
    for (const [key, { acknowledged, times }] of this.#mine) {
      const shown = insist({ bucket: this.#bucket, key })
      if (shown === undefined) {
        unverified.add(1)
        continue
      }
      const found = ownCount(merge(shown))
      acksChecked.add(times)
      lostAck.add(Math.max(0, acknowledged - found))
      if (found < acknowledged) {
        console.error(
          `lost: ${this.#bucket}/${key} has ${found} of client ${client()}, not ${acknowledged}`,
        )
      }
    }
  }
}

const ownCount = (counts: Counts): number => counts[client()] ?? 0

function merge({ values }: Shown): Counts {
  const merged: Counts = {}
  for (const value of values) {
    for (const [who, count] of Object.entries(JSON.parse(value) as Counts)) {
      merged[who] = Math.max(merged[who] ?? 0, count)
    }
  }
  return merged
}
