import { Histogram } from './histogram.ts'
import type { Target } from './load.ts'
import { RawConnection } from './raw-http.ts'

export interface OpenLoadOptions {
  readonly targets: readonly Target[]
  readonly seconds: number
  /** Requests a second, whatever becomes of them. */
  readonly rate: number
  readonly request: () => Buffer
  /**
   * Opened, and used once, before the time begins: so many requests wait at a time, and what would
   * be more is not sent, and counted.
   */
  readonly connections: number
}

export interface OpenLoadResult {
  readonly seconds: number
  /** Answered as asked. */
  readonly met: number
  /** Refused before anything was done: 503. */
  readonly shed: number
  /** Everything else: no answer in time, connections lost. */
  readonly failed: number
  /** Due while too many waited. */
  readonly notSent: number
  /** Of those that were met, from when they were due. */
  readonly latency: Histogram
  /** Of those that were refused. */
  readonly refusal: Histogram
  readonly failures: ReadonlyMap<string, number>
}

const TICK_MS = 2
const OPENED_AT_A_TIME = 64

/**
 * Open load: requests are due at a steady rate and do not wait for each other, as those of many
 * clients do. A closed loop never asks for more than it gets, so it can never be too much.
 */
export async function runOpenLoad(options: OpenLoadOptions): Promise<OpenLoadResult> {
  const load = new OpenLoad(options)
  await load.run()
  return load.result
}

class OpenLoad {
  readonly #options: OpenLoadOptions
  readonly #idle: RawConnection[][]
  readonly #latency = new Histogram()
  readonly #refusal = new Histogram()
  readonly #failures = new Map<string, number>()
  #met = 0
  #shed = 0
  #failed = 0
  #notSent = 0
  #waiting = 0
  #next = 0
  #seconds = 0
  #whenEnded = (): void => {}

  constructor(options: OpenLoadOptions) {
    this.#options = options
    this.#idle = options.targets.map(() => [])
  }

  get result(): OpenLoadResult {
    return {
      seconds: this.#seconds,
      met: this.#met,
      shed: this.#shed,
      failed: this.#failed,
      notSent: this.#notSent,
      latency: this.#latency,
      refusal: this.#refusal,
      failures: this.#failures,
    }
  }

  /** Resolves when the time is over and everything sent has ended. */
  async run(): Promise<void> {
    const { seconds, rate } = this.#options
    await this.#open()
    const began = performance.now()
    let sent = 0
    await new Promise<void>((resolve) => {
      const tick = setInterval(() => {
        const elapsed = performance.now() - began
        if (elapsed >= seconds * 1_000) {
          clearInterval(tick)
          return resolve()
        }
        for (const due = Math.floor((elapsed * rate) / 1_000); sent < due; sent++) this.#send()
      }, TICK_MS)
    })
    this.#seconds = (performance.now() - began) / 1_000
    // Those that were sent may still be met: what is offered and what is answered stay one sum.
    await new Promise<void>((resolve) => {
      // Every request ends: by its deadline on the node, or with its connection (O2).
      this.#whenEnded = () => {
        if (this.#waiting === 0) resolve()
      }
      this.#whenEnded()
    })
    for (const connection of this.#idle.flat()) connection.close()
  }

  /** Some at a time: how fast a node accepts connections is another question. */
  async #open(): Promise<void> {
    const { targets, connections, request } = this.#options
    let left = connections
    const one = async (): Promise<void> => {
      while (left > 0) {
        const place = left-- % targets.length
        const connection = this.#connect(place)
        await new Promise<void>((resolve, reject) =>
          connection.send(request(), () => resolve(), reject),
        )
        this.#idle[place]?.push(connection)
      }
    }
    await Promise.all(Array.from({ length: OPENED_AT_A_TIME }, one))
  }

  #connect(place: number): RawConnection {
    const { host, port } = this.#options.targets[place] as Target
    return new RawConnection(host, port)
  }

  #send(): void {
    const { targets, request } = this.#options
    const place = this.#next++ % targets.length
    const idle = this.#idle[place] as RawConnection[]
    const connection = idle.pop()
    if (connection === undefined) {
      this.#notSent++
      return
    }
    const sentAt = performance.now()
    this.#waiting++
    connection.send(
      request(),
      ({ status, head }) => {
        this.#waiting--
        this.#count(status, performance.now() - sentAt)
        if (/\r\nconnection: close/i.test(head)) this.#replace(place, connection)
        else idle.push(connection)
        this.#whenEnded()
      },
      (error) => {
        this.#waiting--
        this.#fail(error.message)
        this.#replace(place, connection)
        this.#whenEnded()
      },
    )
  }

  #replace(place: number, connection: RawConnection): void {
    connection.close()
    this.#idle[place]?.push(this.#connect(place))
  }

  #count(status: number, tookMs: number): void {
    if (status === 204 || status === 200) {
      this.#met++
      this.#latency.add(tookMs)
    } else if (status === 503) {
      this.#shed++
      this.#refusal.add(tookMs)
    } else {
      this.#fail(String(status))
    }
  }

  #fail(reason: string): void {
    this.#failed++
    this.#failures.set(reason, (this.#failures.get(reason) ?? 0) + 1)
  }
}
