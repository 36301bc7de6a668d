/** Random reads and writes of a fixed set of keys, a fixed number at a time. */
import { randomFillSync } from 'node:crypto'
import type { Client, Consistency } from '@shoal/client'
import { limits } from '@shoal/kernel'
import type { Tally } from './tally.ts'

export interface LoadSettings {
  readonly bucket: string
  readonly keys: number
  readonly connections: number
  readonly readRatio: number
  readonly valueBytes: number
  readonly consistency: Consistency | undefined
}

/** What a load writes is gone after this. */
const TTL_SECONDS = 3_600

export class Load {
  readonly #client: Client
  readonly #settings: LoadSettings
  readonly #tally: Tally
  readonly #value: Uint8Array
  #stopped = false

  constructor(client: Client, settings: LoadSettings, tally: Tally) {
    this.#client = client
    this.#settings = settings
    this.#tally = tally
    // Random bytes: whatever compresses on the way must not make the load lighter than it claims.
    this.#value = randomFillSync(new Uint8Array(settings.valueBytes))
  }

  /**
   * Writes the keys once, so that reads find something; of very many or very large values only a
   * part. Rejects as the client does, so that a cluster that is not there is noticed here.
   */
  async fill(): Promise<void> {
    const { keys, valueBytes, connections } = this.#settings
    const fitting = Math.floor(limits.benchFillBytesMax / Math.max(1, valueBytes))
    const wanted = Math.max(1, Math.min(keys, limits.benchFillKeysMax, fitting))
    let next = 0
    const work = async (): Promise<void> => {
      while (next < wanted && !this.#stopped) await this.#write(keyAt(next++))
    }
    await Promise.all(Array.from({ length: connections }, work))
  }

  /** Until stopped; what is under way then is waited for. */
  async run(): Promise<void> {
    const { connections } = this.#settings
    await Promise.all(Array.from({ length: connections }, () => this.#work()))
  }

  stop(): void {
    this.#stopped = true
  }

  async #work(): Promise<void> {
    while (!this.#stopped) await this.#operate()
  }

  async #operate(): Promise<void> {
    const isRead = Math.random() < this.#settings.readRatio
    const key = this.#randomKey()
    const begun = performance.now()
    try {
      if (isRead) {
        const found = await this.#read(key)
        this.#tally.read(performance.now() - begun, found)
      } else {
        await this.#write(key)
        this.#tally.wrote(performance.now() - begun)
      }
    } catch (error) {
      this.#tally.fail(codeOf(error))
    }
  }

  async #read(key: string): Promise<boolean> {
    const { bucket, consistency } = this.#settings
    const { kind } = await this.#client.get(bucket, key, { consistency })
    return kind !== 'absent'
  }

  async #write(key: string): Promise<void> {
    const { bucket, consistency } = this.#settings
    await this.#client.put(bucket, key, this.#value, { consistency, ttlSeconds: TTL_SECONDS })
  }

  #randomKey(): string {
    return keyAt(Math.floor(Math.random() * this.#settings.keys))
  }
}

const keyAt = (index: number): string => `key-${index}`

/** Failures of the cluster are counted; anything else is a bug and ends the load. */
function codeOf(error: unknown): string {
  const { code } = error as { code?: unknown }
  if (typeof code === 'string' && code.startsWith('SHOAL_')) return code
  throw error
}
