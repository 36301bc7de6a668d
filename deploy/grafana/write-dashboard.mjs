/**
 * Writes `dashboards/shoal.json`, which Grafana loads: change the panels here.
 *
 *     npm run dashboard
 */
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const WIDTH = 24
const source = { type: 'prometheus', uid: '$source' }

/** `$node` and `$job` are chosen at the top of the page. */
const of = (metric, more = '') => `${metric}{job="$job", instance=~"$node"${more}}`
const rate = (metric, more) => `rate(${of(metric, more)}[$__rate_interval])`
const sumRate = (metric, by = '', more = '') =>
  `sum${by === '' ? '' : ` by (${by})`} (${rate(metric, more)})`
const share = (part, whole) => `${part} / (${whole})`
const durations = 'shoal_http_request_duration_seconds_bucket'
const quantile = (q, by, more = '') =>
  `histogram_quantile(${q}, sum by (${by}, le) (${rate(durations, more)}))`

/** One query of a panel, and how its lines are called. */
const query = (expr, legendFormat) => ({ expr, legendFormat })
const perNode = (expr) => query(expr, '{{instance}}')

const cacheHits = rate('shoal_version_cache_hits_total')
const cacheMisses = rate('shoal_version_cache_misses_total')

const data = ', operation=~"get|head|put|delete|list|batch"'

const rows = [
  {
    title: 'How it is',
    height: 4,
    panels: [
      stat('Nodes that answer', 'none', [query('sum(up{job="$job"})', '')], {
        description: 'As Prometheus sees them.',
      }),
      stat('Peers that a node reaches, least', 'none', [query(`min(${of('shoal_peers_up')})`, '')]),
      stat('Requests', 'reqps', [query(sumRate('shoal_http_requests_total', '', data), '')]),
      stat(
        'Operations without their quorum',
        'percentunit',
        [query('shoal:unmet_operations:ratio_rate5m{job="$job"}', '')],
        { warn: 0.0001, bad: 0.01, description: 'Of five minutes. Clients got 503 or 504.' },
      ),
      stat(
        'Put, 99th percentile',
        's',
        [query(quantile(0.99, 'operation', ', operation="put"'), '')],
        { warn: 0.1, bad: 0.5 },
      ),
      stat('Nodes that take no writes', 'none', [query(`sum(${of('shoal_store_stopped')})`, '')], {
        warn: 1,
        bad: 1,
      }),
    ],
  },
  {
    title: 'Requests',
    height: 8,
    panels: [
      lines('Requests by operation', 'reqps', [
        query(sumRate('shoal_http_requests_total', 'operation'), '{{operation}}'),
      ]),
      lines(
        'Requests by status',
        'reqps',
        [query(sumRate('shoal_http_requests_total', 'status'), '{{status}}')],
        { description: 'Status 0: the client went away before the answer.' },
      ),
      lines('Operations inside batches', 'ops', [
        query(sumRate('shoal_http_batch_operations_total', 'status'), '{{status}}'),
      ]),
      lines('Duration, 99th percentile', 's', [
        query(quantile(0.99, 'operation', data), '{{operation}}'),
      ]),
      lines('Duration, median', 's', [query(quantile(0.5, 'operation', data), '{{operation}}')]),
      lines('Duration by node, 99th percentile', 's', [perNode(quantile(0.99, 'instance', data))], {
        description: 'One slow node shows here. Readers hedge around it.',
      }),
      lines('Slower than slow-request', 'ops', [
        query(sumRate('shoal_slow_requests_total', 'operation'), '{{operation}}'),
      ]),
    ],
  },
  {
    title: 'Quorums and repair',
    height: 8,
    panels: [
      lines('Writes and reads coordinated', 'ops', [
        query(sumRate('shoal_writes_total'), 'writes'),
        query(sumRate('shoal_reads_total'), 'reads'),
        query(sumRate('shoal_forwarded_total'), 'writes passed to a replica of their key'),
      ]),
      lines('Without their quorum', 'ops', [
        query(sumRate('shoal_writes_unmet_total'), 'writes'),
        query(sumRate('shoal_reads_unmet_total'), 'reads'),
        query(sumRate('shoal_quorum_unreachable_total'), 'refused before anything was sent'),
      ]),
      lines('Peers reached', 'none', [perNode(of('shoal_peers_up'))]),
      lines('Read repairs', 'ops', [
        query(sumRate('shoal_read_repairs_total'), 'rows sent'),
        query(sumRate('shoal_read_repairs_dropped_total'), 'left to the next read'),
      ]),
      lines(
        'How far replicas may be apart',
        's',
        [
          perNode(of('shoal_repair_debt_seconds')),
          query(`max(${of('shoal_hint_oldest_age_seconds')})`, 'oldest hint'),
        ],
        { description: 'Every write older than this is on all its replicas.' },
      ),
      lines('Hints', 'none', [
        perNode(of('shoal_hints')),
        query(`sum(${of('shoal_hint_dirty_partitions')})`, 'partitions left to comparison'),
      ]),
      lines('Hints kept and delivered', 'ops', [
        query(sumRate('shoal_hints_stored_total'), 'kept'),
        query(sumRate('shoal_hints_delivered_total'), 'delivered'),
        query(sumRate('shoal_hints_lost_total'), 'given up'),
      ]),
      lines('Comparisons', 'ops', [
        query(sumRate('shoal_repair_exchanges_total'), 'ended'),
        query(sumRate('shoal_repair_rows_pulled_total'), 'rows got'),
        query(sumRate('shoal_repair_rows_pushed_total'), 'rows given'),
        query(sumRate('shoal_repair_rows_healed_total'), 'damaged rows replaced'),
      ]),
      lines('Still to compare, and to fill', 'none', [
        query(`sum(${of('shoal_repair_unverified_pairs')})`, 'partitions and peers'),
        query(`sum(${of('shoal_repair_divergent_segments')})`, 'segments that differed'),
        query(`sum(${of('shoal_repair_lost_partitions')})`, 'partitions to fill'),
        query(`sum(${of('shoal_repair_unhealed_rows')})`, 'rows without a good copy'),
      ]),
      lines('Background work, at most', 'Bps', [perNode(of('shoal_background_bytes_per_second'))]),
      lines('Siblings', 'ops', [
        query(sumRate('shoal_siblings_warned_total'), 'writes that left ten or more'),
        query(sumRate('shoal_siblings_refused_total'), 'writes refused'),
        query(sumRate('shoal_lost_writes_total'), 'lww: replaced before anyone saw them'),
      ]),
      lines('Reads hedged', 'percentunit', [
        perNode(share(rate('shoal_hedges_total'), `${rate('shoal_reads_total')} > 0`)),
      ]),
    ],
  },
  {
    title: 'Load',
    height: 8,
    panels: [
      lines('Processor', 'percentunit', [perNode(rate('process_cpu_seconds_total'))], {
        description: 'Of one core. A node uses more than one while it compacts.',
      }),
      lines('Memory', 'bytes', [perNode(of('process_resident_memory_bytes'))]),
      lines('Event loop, late by, 99th percentile', 's', [
        perNode(of('shoal_event_loop_delay_p99_seconds')),
      ]),
      lines('Requests refused because of load', 'reqps', [
        query(sumRate('shoal_shed_total', 'instance, reason'), '{{instance}}: {{reason}}'),
      ]),
      lines('Under way', 'none', [
        query(`sum(${of('shoal_http_requests_in_flight')})`, 'requests'),
        query(`sum(${of('shoal_operations_in_flight')})`, 'operations'),
        query(`sum(${of('shoal_http_batches_in_flight')})`, 'batches'),
        query(`sum(${of('shoal_replica_queue')})`, 'operations that wait for a group or a read'),
      ]),
      lines('Connections', 'none', [
        perNode(of('shoal_http_connections')),
        query(sumRate('shoal_http_connections_refused_total'), 'refused each second'),
        query(sumRate('shoal_http_malformed_total'), 'malformed requests each second'),
      ]),
      lines('Bodies in memory', 'bytes', [perNode(of('shoal_http_body_bytes_in_flight'))]),
    ],
  },
  {
    title: 'Storage',
    height: 8,
    panels: [
      lines('Stored', 'bytes', [perNode(of('shoal_store_disk_bytes'))]),
      lines('Free', 'bytes', [perNode(of('shoal_store_free_bytes'))]),
      lines('Written and not yet synced', 'bytes', [perNode(of('shoal_store_unsynced_bytes'))]),
      lines(
        'Operations that share a sync',
        'none',
        [
          perNode(
            share(
              rate('shoal_replica_operations_total'),
              `${rate('shoal_replica_syncs_total')} > 0`,
            ),
          ),
        ],
        { description: 'More is cheaper: the disk is asked less often.' },
      ),
      lines('Versions found in memory', 'percentunit', [
        perNode(share(cacheHits, `${cacheHits} + ${cacheMisses} > 0`)),
      ]),
      lines('Files to compact', 'none', [perNode(of('shoal_store_level_zero_files'))]),
      lines('Rows read for a merge', 'ops', [perNode(rate('shoal_replica_rows_loaded_total'))]),
      lines('Damaged copies and new incarnations', 'none', [
        query(`sum by (instance) (${of('shoal_replica_damaged_total')})`, '{{instance}}: damaged'),
        query(`sum by (instance) (${of('shoal_actors_minted_total')})`, '{{instance}}: minted'),
      ]),
    ],
  },
]

function panel(type, title, unit, targets, { description, thresholds, options, custom }) {
  const letters = 'ABCDEFGH'
  return {
    type,
    title,
    ...(description === undefined ? {} : { description }),
    datasource: source,
    targets: targets.map((each, index) => ({ refId: letters[index], datasource: source, ...each })),
    fieldConfig: {
      defaults: { unit, ...(thresholds ? { thresholds } : {}), ...(custom ? { custom } : {}) },
      overrides: [],
    },
    options,
  }
}

/** One number. From `warn` on it is orange, from `bad` on red. */
function stat(title, unit, targets, { warn, bad, description } = {}) {
  const steps = [{ color: bad === undefined ? 'blue' : 'green', value: null }]
  if (warn !== undefined && warn !== bad) steps.push({ color: 'orange', value: warn })
  if (bad !== undefined) steps.push({ color: 'red', value: bad })
  return panel('stat', title, unit, targets, {
    description,
    thresholds: { mode: 'absolute', steps },
    options: {
      colorMode: 'value',
      graphMode: 'area',
      reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
    },
  })
}

function lines(title, unit, targets, { description } = {}) {
  return panel('timeseries', title, unit, targets, {
    description,
    custom: { fillOpacity: 5, lineWidth: 1, showPoints: 'never' },
    options: {
      legend: { displayMode: 'list', placement: 'bottom', showLegend: true },
      tooltip: { mode: 'multi', sort: 'desc' },
    },
  })
}

/** Panels of a row share its width, at most six small or three large ones side by side. */
function laidOut() {
  const panels = []
  let top = 0
  let id = 1
  for (const { title, height, panels: within } of rows) {
    const at = { h: 1, w: WIDTH, x: 0, y: top++ }
    panels.push({ id: id++, type: 'row', title, collapsed: false, gridPos: at, panels: [] })
    const across = height < 8 ? 6 : 3
    within.forEach((each, index) => {
      const column = index % across
      const gridPos = { h: height, w: WIDTH / across, x: (column * WIDTH) / across, y: top }
      panels.push({ id: id++, ...each, gridPos })
      if (column === across - 1 || index === within.length - 1) top += height
    })
  }
  return panels
}

const choice = (name, label, expr, more) => ({
  name,
  label,
  type: 'query',
  datasource: source,
  query: { query: expr, refId: name },
  refresh: 2,
  sort: 1,
  ...more,
})

export const dashboard = () => ({
  uid: 'shoal',
  title: 'Shoal',
  description: 'A Shoal cluster: requests, quorums, repair, load, storage.',
  tags: ['shoal'],
  schemaVersion: 39,
  version: 1,
  editable: true,
  graphTooltip: 1,
  refresh: '10s',
  time: { from: 'now-1h', to: 'now' },
  timepicker: {},
  timezone: 'browser',
  annotations: { list: [] },
  links: [],
  templating: {
    list: [
      { name: 'source', label: 'Prometheus', type: 'datasource', query: 'prometheus', refresh: 1 },
      choice('job', 'Job', 'label_values(shoal_peers_up, job)', {}),
      choice('node', 'Node', 'label_values(shoal_peers_up{job="$job"}, instance)', {
        multi: true,
        includeAll: true,
        allValue: '.*',
        current: { text: 'All', value: '$__all' },
      }),
    ],
  },
  panels: laidOut(),
})

export const written = () => `${JSON.stringify(dashboard(), undefined, 2)}\n`

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(new URL('./dashboards/shoal.json', import.meta.url), written())
}
