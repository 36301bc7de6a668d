import { limits } from '@shoal/kernel'

/**
 * The numbers of the detector, and what follows from them for a cluster of a given size. Times are
 * in milliseconds.
 *
 * Source: SWIM (DSN 2002), Lifeguard (DSN 2018), and their form in HashiCorp's memberlist.
 */
export interface SwimSettings {
  /** Each node probes one other in so much time. */
  readonly probePeriod: number
  /** How long the probed one has before relays are asked; times (1 + health). */
  readonly probeTimeout: number
  /** Asked to probe for us, each in another zone where there are so many. */
  readonly relays: number
  /** A relay that heard nothing says so after this share of the time it was given. */
  readonly nackShare: number
  /** The shortest suspicion, up to ten nodes; grows with the logarithm of the cluster. */
  readonly suspicionMin: number
  /** The longest suspicion, in shortest ones: what one witness alone can do. */
  readonly suspicionStretch: number
  /** So many independent confirmations shrink a suspicion to the shortest. */
  readonly confirmations: number
  readonly healthMax: number
  /** A timer this late means that this process stood still. */
  readonly lagMax: number
  readonly gossipPeriod: number
  /** News gather for so long before the first round that carries them. */
  readonly gossipDelay: number
  readonly gossipFanOut: number
  /** News are sent so many times the logarithm of the cluster. */
  readonly gossipMultiplier: number
  readonly gossipUpdates: number
  readonly syncPeriod: number
  /** From this size on the period of the full comparison grows with the cluster. */
  readonly syncScale: number
  /** How often one of those thought dead is asked whether it is. */
  readonly knockPeriod: number
  readonly probesInFlight: number
  /** The least time from one probe of a member to an urgent one of the same. */
  readonly urgentPause: number
  readonly probesRelayed: number
}

export const defaultSettings: SwimSettings = {
  probePeriod: 1_000,
  probeTimeout: 500,
  relays: 3,
  nackShare: 0.8,
  suspicionMin: 4_000,
  suspicionStretch: 6,
  confirmations: limits.suspicionWitnessesMax - 1,
  healthMax: 7,
  lagMax: 250,
  gossipPeriod: 200,
  gossipDelay: 10,
  gossipFanOut: 3,
  gossipMultiplier: 8,
  gossipUpdates: limits.gossipUpdatesMax,
  syncPeriod: 30_000,
  syncScale: 32,
  knockPeriod: 5_000,
  probesInFlight: limits.probesInFlightMax,
  urgentPause: 200,
  probesRelayed: limits.probesRelayedMax,
}

/** Confirmations that can be had at all: others than the suspect and its first witness. */
export function confirmationsWanted(settings: SwimSettings, living: number): number {
  return living - 2 < settings.confirmations ? 0 : settings.confirmations
}

/**
 * How long a suspicion lasts, from its beginning to the declaration.
 *
 * @param living  nodes thought alive or suspect, this one included
 * @param wanted  confirmations that shrink it to the shortest
 * @param had     confirmations so far
 */
export function suspicionSpan(
  settings: SwimSettings,
  { living, wanted, had }: { living: number; wanted: number; had: number },
): number {
  const min = Math.ceil(settings.suspicionMin * Math.max(1, Math.log10(Math.max(1, living))))
  if (had >= wanted) return min
  const max = min * settings.suspicionStretch
  const share = Math.log(had + 1) / Math.log(wanted + 1)
  // Whole milliseconds: the last bit of a logarithm may differ from one engine to the next.
  return Math.max(min, Math.ceil(max - share * (max - min)))
}

/** How often one piece of news is sent by each node. */
export function sendsOf(settings: SwimSettings, living: number): number {
  return settings.gossipMultiplier * Math.ceil(Math.log10(living + 1))
}

/** The period of the full comparison: doubled for each doubling past `syncScale` nodes. */
export function syncPeriodOf(settings: SwimSettings, living: number): number {
  let period = settings.syncPeriod
  for (let size = settings.syncScale; size < living; size *= 2) period *= 2
  return period
}
