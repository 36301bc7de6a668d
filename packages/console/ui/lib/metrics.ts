/** Throughput and latency of this node, from two looks at `/metrics`. */

/** Counters as they stood at one moment. */
export interface Scrape {
  /** Unix time in milliseconds. */
  readonly at: number
  /** By operation. */
  readonly requests: ReadonlyMap<string, number>
  /** Counts up to each bound in seconds, over reads and writes of keys. */
  readonly durations: ReadonlyMap<number, number>
}

/** Between two scrapes. */
export interface Pace {
  readonly at: number
  /** Per second. */
  readonly reads: number
  readonly writes: number
  /** Milliseconds; undefined without requests. */
  readonly p50: number | undefined
  readonly p99: number | undefined
}

const reading = new Set(['get', 'head', 'list'])
const writing = new Set(['put', 'delete', 'batch'])
const timed = new Set(['get', 'put', 'delete'])
const SAMPLE = /^([a-z_:][a-z0-9_:]*)(?:\{([^}]*)\})? (\S+)/i
const LABEL = /([a-z_]+)="((?:[^"\\]|\\.)*)"/gi

/** Reads the text format of Prometheus, as far as the console needs it. */
export function parseScrape(text: string, at: number): Scrape {
  const requests = new Map<string, number>()
  const durations = new Map<number, number>()
  for (const line of text.split('\n')) {
    const [, name, labels = '', value] = SAMPLE.exec(line) ?? []
    const count = Number(value)
    if (name === 'shoal_http_requests_total') {
      add(requests, labelsOf(labels).get('operation') ?? '', count)
    } else if (name === 'shoal_http_request_duration_seconds_bucket') {
      const found = labelsOf(labels)
      if (!timed.has(found.get('operation') ?? '')) continue
      const bound = found.get('le') ?? ''
      add(durations, bound === '+Inf' ? Number.POSITIVE_INFINITY : Number(bound), count)
    }
  }
  return { at, requests, durations }
}

export function paceBetween(before: Scrape, after: Scrape): Pace {
  const seconds = Math.max(0.001, (after.at - before.at) / 1_000)
  const rate = (names: ReadonlySet<string>): number => {
    let sum = 0
    for (const [operation, count] of after.requests) {
      // A node that was started again counts from zero.
      if (names.has(operation)) sum += Math.max(0, count - (before.requests.get(operation) ?? 0))
    }
    return sum / seconds
  }
  const grown = [...after.durations]
    .map(([bound, count]): [number, number] => [bound, count - (before.durations.get(bound) ?? 0)])
    .sort(([one], [other]) => one - other)
  return {
    at: after.at,
    reads: rate(reading),
    writes: rate(writing),
    p50: quantile(grown, 0.5),
    p99: quantile(grown, 0.99),
  }
}

/** As Prometheus does it: evenly spread within a bucket. Milliseconds. */
function quantile(
  grown: readonly (readonly [number, number])[],
  share: number,
): number | undefined {
  const total = grown.at(-1)?.[1] ?? 0
  if (total <= 0) return undefined
  const wanted = total * share
  let [lower, below] = [0, 0]
  for (const [bound, count] of grown) {
    if (count >= wanted) {
      if (bound === Number.POSITIVE_INFINITY) return lower * 1_000
      const part = count === below ? 1 : (wanted - below) / (count - below)
      return (lower + (bound - lower) * part) * 1_000
    }
    lower = bound
    below = count
  }
  return undefined
}

const labelsOf = (text: string): Map<string, string> =>
  new Map([...text.matchAll(LABEL)].map(([, name = '', value = '']) => [name, value]))

function add<K>(into: Map<K, number>, key: K, count: number): void {
  into.set(key, (into.get(key) ?? 0) + count)
}
