/** What the nodes say of themselves while they are under load. */

export interface Reading {
  readonly timeMs: number
  /** By node, in the order of the URLs; undefined where none answered. */
  readonly nodes: readonly (NodeReading | undefined)[]
}

/** CPU time of all nodes together; a node that starts again counts from 0. */
export function cpuSecondsOf(readings: readonly Reading[]): number {
  const count = readings[0]?.nodes.length ?? 0
  let sum = 0
  for (let index = 0; index < count; index++) {
    let before: number | undefined
    for (const { nodes } of readings) {
      const now = nodes[index]?.cpuSeconds
      if (now === undefined) continue
      if (before !== undefined) sum += now >= before ? now - before : now
      before = now
    }
  }
  return sum
}

export function residentBytesMaxOf(readings: readonly Reading[]): number {
  const all = readings.flatMap(({ nodes }) => nodes.map((node) => node?.residentBytes ?? 0))
  return Math.max(0, ...all)
}

export interface NodeReading {
  readonly cpuSeconds: number
  readonly residentBytes: number
}

const ASK_TIMEOUT_MS = 2_000

/** Asks again and again until it is stopped. */
export class Watch {
  readonly readings: Reading[] = []
  readonly #urls: readonly string[]
  readonly #timer: NodeJS.Timeout
  #asking: Promise<void> = Promise.resolve()
  #stopped = false

  constructor(urls: readonly string[], everySeconds: number) {
    this.#urls = urls
    this.#ask()
    this.#timer = setInterval(() => this.#ask(), everySeconds * 1_000)
  }

  /** Once more, and no more. May be called twice. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    if (!this.#stopped) this.#ask()
    this.#stopped = true
    await this.#asking
  }

  #ask(): void {
    const timeMs = Date.now()
    this.#asking = this.#asking.then(async () => {
      const nodes = await Promise.all(this.#urls.map(read))
      this.readings.push({ timeMs, nodes })
    })
  }
}

async function read(url: string): Promise<NodeReading | undefined> {
  try {
    const signal = AbortSignal.timeout(ASK_TIMEOUT_MS)
    const text = await (await fetch(`${url}/metrics`, { signal, headers: authorization() })).text()
    const cpuSeconds = figureIn(text, 'process_cpu_seconds_total')
    const residentBytes = figureIn(text, 'process_resident_memory_bytes')
    return Number.isNaN(cpuSeconds + residentBytes) ? undefined : { cpuSeconds, residentBytes }
  } catch {
    return undefined
  }
}

const figureIn = (text: string, name: string): number =>
  Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)`, 'm').exec(text)?.[1] ?? Number.NaN)

/** As the scripts of k6 have it. */
function authorization(): Record<string, string> {
  const { SHOAL_TOKEN: token } = process.env
  return token === undefined ? {} : { authorization: `Bearer ${token}` }
}
