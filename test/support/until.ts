import { performance } from 'node:perf_hooks'

/** How long a condition may take on a machine that has other things to do. */
const PATIENCE_MS = 30_000
const LOOK_EVERY_MS = 20

/**
 * Waits for a condition and gives what the probe found. A probe that throws has not found it yet.
 *
 * @param what  completes "waited for …" when the time is over
 */
export function until<T>(
  what: string,
  probe: () => T | undefined | false | Promise<T | undefined | false>,
  withinMs: number = PATIENCE_MS,
): Promise<T> {
  const due = performance.now() + withinMs
  return new Promise((resolve, reject) => {
    let last: unknown
    const look = async (): Promise<void> => {
      try {
        const found = await probe()
        if (found !== undefined && found !== false) return resolve(found)
      } catch (error) {
        last = error
      }
      if (performance.now() < due) setTimeout(() => void look(), LOOK_EVERY_MS)
      else reject(new Error(`waited ${withinMs} ms for ${what}`, { cause: last }))
    }
    void look()
  })
}
