/**
 * What this face counts. On the way of a request only numbers in arrays are raised; names, labels
 * and text are made when somebody asks for `/metrics`.
 */
import { Counter, collectDefaultMetrics, Gauge, type Metric, type Registry } from 'prom-client'

/** Every request is one of these: the label `operation`, so its values are bounded. */
export const operations = [
  'get',
  'head',
  'put',
  'delete',
  'list',
  'batch',
  'buckets',
  'explain',
  'state',
  'operations',
  'other',
] as const
export type Operation = (typeof operations)[number]

export const operationIndex = Object.fromEntries(
  operations.map((name, index) => [name, index]),
) as Readonly<Record<Operation, number>>

/** Upper bounds in seconds. A quorum write on a quiet machine takes about a millisecond. */
const bounds = [
  0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
]
const boundsMs = Float64Array.from(bounds, (bound) => bound * 1_000)
const BUCKETS = bounds.length + 1
/** Status codes are counted at their own number; requests whose client went away at 0. */
const STATUSES = 600

export class HttpMetrics {
  readonly #statuses = new Float64Array(operations.length * STATUSES)
  readonly #durations = new Float64Array(operations.length * BUCKETS)
  readonly #secondsSum = new Float64Array(operations.length)
  readonly #batchStatuses = new Float64Array(STATUSES)
  inFlight = 0
  connections = 0
  connectionsRefused = 0
  malformed = 0

  constructor(
    registry: Registry,
    gauges: {
      bodyBytes: () => number
      batches: () => number
      eventStreams: () => number
      eventStreamsCutOff: () => number
    },
  ) {
    collectDefaultMetrics({ register: registry })
    this.#registerRequests(registry)
    this.#registerConnections(registry)
    registerGauge(registry, {
      name: 'shoal_http_body_bytes_in_flight',
      help: 'Bytes of request bodies in memory.',
      read: gauges.bodyBytes,
    })
    registerGauge(registry, {
      name: 'shoal_http_batches_in_flight',
      help: 'Batches under way.',
      read: gauges.batches,
    })
    registerGauge(registry, {
      name: 'shoal_http_event_streams',
      help: 'Clients that follow /v1/events.',
      read: gauges.eventStreams,
    })
    registerCounter(registry, {
      name: 'shoal_http_event_streams_cut_off_total',
      help: 'Of these, cut off because they did not read in time.',
      read: gauges.eventStreamsCutOff,
    })
  }

  /**
   * One request has been answered, or given up by its client.
   *
   * @param status  0 when the client went away before the answer
   */
  record(operation: number, status: number, elapsedMs: number): void {
    let bucket = 0
    while (bucket < boundsMs.length && elapsedMs > (boundsMs[bucket] ?? 0)) bucket++
    this.#statuses[operation * STATUSES + status] = this.statusCount(operation, status) + 1
    const at = operation * BUCKETS + bucket
    this.#durations[at] = (this.#durations[at] ?? 0) + 1
    this.#secondsSum[operation] = (this.#secondsSum[operation] ?? 0) + elapsedMs / 1_000
  }

  recordBatchItem(status: number): void {
    this.#batchStatuses[status] = (this.#batchStatuses[status] ?? 0) + 1
  }

  statusCount(operation: number, status: number): number {
    return this.#statuses[operation * STATUSES + status] ?? 0
  }

  #registerRequests(registry: Registry): void {
    const statuses = this.#statuses
    const batchStatuses = this.#batchStatuses
    new Counter({
      name: 'shoal_http_requests_total',
      help: 'Requests by operation and status; status 0: the client went away.',
      labelNames: ['operation', 'status'],
      registers: [registry],
      collect() {
        this.reset()
        statuses.forEach((count, at) => {
          if (count === 0) return
          const operation = operations[Math.floor(at / STATUSES)] ?? 'other'
          this.inc({ operation, status: at % STATUSES }, count)
        })
      },
    })
    new Counter({
      name: 'shoal_http_batch_operations_total',
      help: 'Operations inside batches by status.',
      labelNames: ['status'],
      registers: [registry],
      collect() {
        this.reset()
        batchStatuses.forEach((count, status) => {
          if (count > 0) this.inc({ status }, count)
        })
      },
    })
    registry.registerMetric(this.#durationMetric())
    registerGauge(registry, {
      name: 'shoal_http_requests_in_flight',
      help: 'Requests being received or answered.',
      read: () => this.inFlight,
    })
  }

  #registerConnections(registry: Registry): void {
    registerGauge(registry, {
      name: 'shoal_http_connections',
      help: 'Open connections, those of peers included.',
      read: () => this.connections,
    })
    registerCounter(registry, {
      name: 'shoal_http_connections_refused_total',
      help: 'Connections refused because too many were open.',
      read: () => this.connectionsRefused,
    })
    registerCounter(registry, {
      name: 'shoal_http_malformed_total',
      help: 'Requests that were not HTTP, or came too slowly.',
      read: () => this.malformed,
    })
  }

  /** prom-client's own histogram hashes labels on every observation; this one is made when read. */
  #durationMetric(): Metric<string> {
    const name = 'shoal_http_request_duration_seconds'
    const help = 'From the last header byte to handing the answer to the socket.'
    const get = async () => ({ name, help, type: 'histogram', values: this.#durationValues(name) })
    return {
      name,
      help,
      type: 'histogram',
      aggregator: 'sum',
      get,
      reset: () => {},
    } as unknown as Metric
  }

  #durationValues(name: string): object[] {
    return operations.flatMap((operation, row) => {
      let seen = 0
      const lines = [...bounds, '+Inf'].map((le, bucket) => {
        seen += this.#durations[row * BUCKETS + bucket] ?? 0
        return { metricName: `${name}_bucket`, labels: { le, operation }, value: seen }
      })
      if (seen === 0) return []
      return [
        ...lines,
        { metricName: `${name}_sum`, labels: { operation }, value: this.#secondsSum[row] ?? 0 },
        { metricName: `${name}_count`, labels: { operation }, value: seen },
      ]
    })
  }
}

interface Readable {
  readonly name: string
  readonly help: string
  readonly read: () => number
}

function registerGauge(registry: Registry, { name, help, read }: Readable): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      this.set(read())
    },
  })
}

function registerCounter(registry: Registry, { name, help, read }: Readable): void {
  new Counter({
    name,
    help,
    registers: [registry],
    collect() {
      this.reset()
      this.inc(read())
    },
  })
}
