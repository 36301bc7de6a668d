/** How much each scenario asks of a cluster unless told otherwise. */

export interface Size {
  /** Iterations that begin in each second, whether earlier ones have ended or not. */
  readonly rate: number
  readonly seconds: number
  /** Clients that take turns; when all are busy, an iteration is dropped and counted. */
  readonly clients: number
}

export const sizes = {
  smoke: { rate: 30, seconds: 6, clients: 8 },
  mixed: { rate: 200, seconds: 60, clients: 40 },
  'hot-key': { rate: 200, seconds: 30, clients: 20 },
  'large-values': { rate: 10, seconds: 30, clients: 10 },
  conflict: { rate: 40, seconds: 30, clients: 20 },
  failover: { rate: 100, seconds: 40, clients: 40 },
  soak: { rate: 150, seconds: 3_600, clients: 40 },
} as const satisfies Readonly<Record<string, Size>>

export type ScenarioName = keyof typeof sizes
