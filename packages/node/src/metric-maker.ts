import { Counter, Gauge, type Registry } from 'prom-client'

/** Metrics that are read when somebody asks for them; until then they cost nothing. */
export class MetricMaker {
  readonly #registry: Registry

  constructor(registry: Registry) {
    this.#registry = registry
  }

  /** What only grows, since the start of the process. */
  total(name: string, help: string, read: () => number): void {
    new Counter({
      name,
      help,
      registers: [this.#registry],
      collect() {
        this.reset()
        this.inc(read())
      },
    })
  }

  level(name: string, help: string, read: () => number): void {
    new Gauge({
      name,
      help,
      registers: [this.#registry],
      collect() {
        this.set(read())
      },
    })
  }

  /** One line for each value of a label, which are all known beforehand. */
  totals<Value extends string>(metric: Labelled<Value>): void {
    const { name, help, label, values, read } = metric
    new Counter({
      name,
      help,
      labelNames: [label],
      registers: [this.#registry],
      collect() {
        this.reset()
        for (const value of values) this.inc({ [label]: value }, read(value))
      },
    })
  }

  levels<Value extends string>(metric: Labelled<Value>): void {
    const { name, help, label, values, read } = metric
    new Gauge({
      name,
      help,
      labelNames: [label],
      registers: [this.#registry],
      collect() {
        for (const value of values) this.set({ [label]: value }, read(value))
      },
    })
  }
}

export interface Labelled<Value extends string> {
  readonly name: string
  readonly help: string
  readonly label: string
  readonly values: readonly Value[]
  readonly read: (value: Value) => number
}
