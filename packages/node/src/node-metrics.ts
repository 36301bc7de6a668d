import type { Coordinator } from '@shoal/coordinator'
import type { Replica } from '@shoal/replica'
import type { Store } from '@shoal/storage'
import type { Peers } from '@shoal/transport'
import type { Registry } from 'prom-client'
import { type LoadAdmission, sheddingReasons } from './admission.ts'
import type { EventLoopMeter } from './event-loop.ts'
import { MetricMaker } from './metric-maker.ts'
import { type SlowLog, slowOperations } from './slow-log.ts'

/** Figures of the parts, read when somebody asks; the hot path only counts. */
export function registerNodeMetrics(
  registry: Registry,
  parts: {
    readonly coordinator: Coordinator
    readonly replica: Replica
    readonly peers: Pick<Peers, 'status'>
    readonly store: Store
    readonly admission: LoadAdmission
    readonly meter: EventLoopMeter
    readonly slow: SlowLog
    /** What is measured now and then, not at every look. */
    readonly state: { readonly diskBytes: number }
  },
): void {
  const { coordinator, replica, peers, store, admission, meter, slow, state } = parts
  const make = new MetricMaker(registry)
  const total = make.total.bind(make)
  const level = make.level.bind(make)
  const { figures } = coordinator
  total('shoal_writes_total', 'Writes coordinated by this node.', () => figures.writes)
  total(
    'shoal_writes_unmet_total',
    'Of these, not acknowledged as asked.',
    () => figures.writesUnmet,
  )
  total('shoal_reads_total', 'Reads coordinated by this node.', () => figures.reads)
  total('shoal_reads_unmet_total', 'Of these, not answered as asked.', () => figures.readsUnmet)
  total(
    'shoal_quorum_unreachable_total',
    'Requests refused before anything was sent.',
    () => figures.refusedUnreachable,
  )
  total(
    'shoal_forwarded_total',
    'Writes passed to a replica of their key.',
    () => figures.forwarded,
  )
  total('shoal_read_repairs_total', 'Rows sent to replicas found behind.', () => figures.repairs)
  total(
    'shoal_read_repairs_dropped_total',
    'Repairs left to the next read.',
    () => figures.repairsDropped,
  )
  total(
    'shoal_siblings_warned_total',
    'Writes that left ten siblings or more.',
    () => figures.siblingsWarned,
  )
  total(
    'shoal_siblings_refused_total',
    'Writes refused because the key has too many siblings.',
    () => figures.siblingsRefused,
  )
  total(
    'shoal_lost_writes_total',
    'Values of lww buckets replaced before anyone saw them.',
    () => figures.lostWrites,
  )
  total(
    'shoal_hedges_total',
    'Reads asked of one more replica because an answer was late.',
    () => coordinator.desk.speeds.hedges,
  )
  make.totals({
    name: 'shoal_slow_requests_total',
    help: 'Requests that took longer than slow-request allows, by operation.',
    label: 'operation',
    values: slowOperations,
    read: (operation) => slow.count(operation),
  })
  level('shoal_operations_in_flight', 'Requests under way.', () => figures.operationsInFlight)
  make.totals({
    name: 'shoal_shed_total',
    help: 'Requests refused because of load, by what was full.',
    label: 'reason',
    values: sheddingReasons,
    read: (reason) => admission.shed(reason),
  })
  level(
    'shoal_operations_bound',
    'Requests that may be under way before further ones are refused.',
    () => admission.bound,
  )
  level('shoal_overloaded', '1 while requests are refused because of load.', () =>
    Number(admission.refusal !== undefined),
  )
  level(
    'shoal_event_loop_delay_max_seconds',
    'Longest delay of the event loop lately.',
    () => (admission.last?.loopDelayMaxMs ?? 0) / 1_000,
  )
  level(
    'shoal_event_loop_delay_p99_seconds',
    'Delay of the event loop since metrics were last collected, 99th percentile.',
    () => meter.takeDelayP99Ms() / 1_000,
  )

  total(
    'shoal_replica_operations_total',
    'Puts and merges of this replica.',
    () => replica.figures().operations,
  )
  total('shoal_replica_groups_total', 'Groups they went in.', () => replica.figures().groups)
  total('shoal_replica_syncs_total', 'Syncs those groups shared.', () => replica.figures().syncs)
  total(
    'shoal_replica_rows_loaded_total',
    'Rows read for a merge.',
    () => replica.figures().rowsLoaded,
  )
  total(
    'shoal_replica_damaged_total',
    'Copies that failed their checksum.',
    () => replica.figures().damaged,
  )
  total(
    'shoal_version_cache_hits_total',
    'Versions found in memory.',
    () => replica.figures().cacheHits,
  )
  total(
    'shoal_version_cache_misses_total',
    'Versions not found in memory.',
    () => replica.figures().cacheMisses,
  )
  total(
    'shoal_actors_minted_total',
    'New incarnations of this node as a writer.',
    () => replica.figures().actorsMinted,
  )
  level('shoal_replica_queue', 'Operations waiting for a group or a read.', () => replica.queued)

  level('shoal_store_disk_bytes', 'Bytes of all files of the store.', () => state.diskBytes)
  level(
    'shoal_store_unsynced_bytes',
    'Written and not yet synced.',
    () => store.pressure().unsyncedBytes,
  )
  level('shoal_store_free_bytes', 'Free on the file system.', () => store.pressure().freeBytes)
  level('shoal_store_stopped', '1 while the store has stopped writes.', () =>
    Number(store.pressure().stopped),
  )
  level(
    'shoal_store_level_zero_files',
    'Files waiting for their first compaction.',
    () => store.pressure().levelZeroFiles,
  )
  level(
    'shoal_peers_up',
    'Peers that can be reached.',
    () => peers.status().filter(({ up }) => up).length,
  )
}
