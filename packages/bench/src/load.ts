import { Histogram } from './histogram.ts'
import { RawConnection } from './raw-http.ts'

export interface Target {
  readonly host: string
  readonly port: number
}

export interface LoadOptions {
  /** Connections are spread over these in turn. */
  readonly targets: readonly Target[]
  readonly connections: number
  readonly seconds: number
  /** Makes the next request; undefined ends the load. */
  readonly request: () => Buffer | undefined
  /** Statuses that count as done. */
  readonly accept: (status: number) => boolean
  /** Requests a second over all connections; absent: as fast as answers come. */
  readonly rate?: number
}

export interface LoadResult {
  readonly done: number
  readonly failed: number
  readonly seconds: number
  readonly latency: Histogram
  /** What went wrong, by status or message. */
  readonly failures: ReadonlyMap<string, number>
}

/** Closed-loop load: every connection sends its next request when the last one is answered. */
export async function runLoad(options: LoadOptions): Promise<LoadResult> {
  const { targets, connections, seconds } = options
  const began = performance.now()
  const until = began + seconds * 1_000
  const latency = new Histogram()
  const failures = new Map<string, number>()
  let done = 0
  let failed = 0
  const note = (reason: string): void => {
    failed++
    failures.set(reason, (failures.get(reason) ?? 0) + 1)
  }
  const gapMs = options.rate ? (connections * 1_000) / options.rate : 0
  const worker = (index: number): Promise<void> =>
    new Promise((resolve) => {
      const target = targets[index % targets.length] as Target
      const connection = new RawConnection(target.host, target.port)
      let due = began + (gapMs * index) / connections
      const next = (): void => {
        const now = performance.now()
        if (now >= until || !connection.isOpen) {
          connection.close()
          return resolve()
        }
        if (gapMs > 0 && due > now) return void setTimeout(next, due - now)
        due += gapMs
        const request = options.request()
        if (request === undefined) {
          connection.close()
          return resolve()
        }
        const sent = performance.now()
        connection.send(
          request,
          ({ status }) => {
            latency.add(performance.now() - sent)
            if (options.accept(status)) done++
            else note(String(status))
            next()
          },
          (error) => {
            note(error.message)
            resolve()
          },
        )
      }
      next()
    })
  await Promise.all(Array.from({ length: connections }, (_none, index) => worker(index)))
  return { done, failed, seconds: (performance.now() - began) / 1_000, latency, failures }
}
