/** Dashboard and alerts ask for what a node shows, and Prometheus understands them. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { root } from '../../tools/lib/house.mjs'
import { written } from '../grafana/write-dashboard.mjs'
import { startCluster, until } from './support/cluster.mjs'
import { askedBy, withValues } from './support/promql.mjs'
import { folder, needs, passes, refuses, serve, textOf } from './support/tool.mjs'

const dashboard = JSON.parse(textOf('grafana/dashboards/shoal.json'))
const { groups } = parse(textOf('prometheus/rules.yaml'))
const rules = groups.flatMap((group) => group.rules)
const recorded = rules.flatMap(({ record }) => (record ? [record] : []))
const panels = dashboard.panels.filter(({ type }) => type !== 'row')

const queries = [
  ...rules.map(({ alert, record, expr }) => ({ name: alert ?? record, expr })),
  ...panels.flatMap(({ title, targets }) => targets.map(({ expr }) => ({ name: title, expr }))),
  ...dashboard.templating.list
    .map(({ name, query }) => ({
      name,
      expr: /^label_values\((.*), \w+\)$/.exec(query?.query)?.[1],
    }))
    .filter(({ expr }) => expr !== undefined),
].map(({ name, expr }) => ({ name, expr: withValues(expr) }))

t.test('the dashboard is the one that its script writes', async (t) => {
  t.equal(textOf('grafana/dashboards/shoal.json'), written(), 'else: npm run dashboard')
})

t.test('no panel covers another, and each has what Grafana needs', async (t) => {
  const ids = dashboard.panels.map(({ id }) => id)
  t.equal(new Set(ids).size, ids.length)
  const taken = new Set()
  for (const { title, gridPos: at, targets = [], fieldConfig } of dashboard.panels) {
    for (let x = at.x; x < at.x + at.w; x++) {
      for (let y = at.y; y < at.y + at.h; y++) {
        if (taken.has(`${x},${y}`) || x > 23) t.fail(`${title} is laid over another`)
        taken.add(`${x},${y}`)
      }
    }
    const letters = targets.map(({ refId }) => refId)
    t.equal(new Set(letters).size, targets.length, `${title}: a letter for each query`)
    if (targets.length > 0) t.ok(fieldConfig.defaults.unit, `${title} has a unit`)
  }
})

t.test('every query is PromQL', async (t) => {
  t.ok(queries.length > 60, `${queries.length} queries`)
  for (const { name, expr } of queries) t.same(askedBy(expr).faults, [], name)
  t.not(askedBy('sum(rate(x[5m])').faults.length, 0, 'what is not PromQL is found')
})

/** Names and labels of all that a node shows, and what Prometheus adds. */
function shownBy(text) {
  const names = new Set(['up', ...recorded])
  const labels = new Set(['job', 'instance'])
  for (const [, name, type] of text.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
    const parts = type === 'histogram' ? ['_bucket', '_sum', '_count'] : ['']
    for (const part of parts) names.add(name + part)
  }
  for (const [, list] of text.matchAll(/^\w+\{(.*)\} \S+$/gm)) {
    for (const [, label] of list.matchAll(/(\w+)="/g)) labels.add(label)
  }
  return { names, labels }
}

/** So that every kind of series is there. */
async function someTraffic({ urls }) {
  for (const url of urls) {
    for (let at = 0; at < 20; at++) {
      const key = `${url}/v1/kv/monitored/key${at}`
      await fetch(key, { method: 'PUT', body: 'value' })
      await fetch(key)
      await fetch(key, { method: 'DELETE' })
    }
    const operations = [{ op: 'get', bucket: 'monitored', key: 'key1' }]
    const headers = { 'content-type': 'application/json' }
    const body = JSON.stringify({ operations })
    await fetch(`${url}/v1/batch`, { method: 'POST', headers, body })
  }
}

t.test('on real nodes', async (t) => {
  t.setTimeout(180_000)
  const cluster = await startCluster(t)
  await someTraffic(cluster)
  const { names, labels } = shownBy(await (await fetch(`${cluster.urls[0]}/metrics`)).text())
  const strangers = (asked) => [
    ...asked.metrics.filter((name) => !names.has(name)),
    ...asked.labels.filter((label) => !labels.has(label)),
  ]

  t.test('every query asks for metrics and labels that a node shows', async (t) => {
    for (const { name, expr } of queries) t.same(strangers(askedBy(expr)), [], name)
    t.same(strangers(askedBy('shoal_no_such_total{nobody="x"}')), ['shoal_no_such_total', 'nobody'])
  })

  t.test('amounts are in base units', async (t) => {
    const scaled = [...names].filter((name) => /_(m?s|ms|millis\w*|[kmg]i?b|percent)$/.test(name))
    t.same(scaled, [], 'seconds, bytes and ratios')
  })

  t.test('the stories of the alerts are told with such metrics', async (t) => {
    const { tests } = parse(textOf('prometheus/rules.test.yaml'))
    const told = tests.flatMap((test) => test.input_series.map(({ series }) => series))
    for (const series of told) t.same(strangers(askedBy(series)), [], series)
  })

  t.test('Prometheus evaluates every query', needs('prometheus'), async (t) => {
    await evaluate(t, cluster)
  })
})

/** Panels may be empty while all is well; all others must show something. */
const EMPTY_WHEN_WELL = ['Reads hedged', 'Versions found in memory']

async function evaluate(t, cluster) {
  const work = mkdtempSync(join(tmpdir(), 'shoal-prometheus-'))
  t.teardown(() => rmSync(work, { recursive: true, force: true }))
  const config = parse(textOf('prometheus/prometheus.yaml'))
  config.global = { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' }
  config.rule_files = [join(folder, 'prometheus', 'rules.yaml')]
  config.scrape_configs[0].static_configs[0].targets = cluster.hosts
  writeFileSync(join(work, 'prometheus.json'), JSON.stringify(config))

  const address = `127.0.0.1:${await freePort()}`
  const log = serve(t, 'prometheus', [
    `--config.file=${join(work, 'prometheus.json')}`,
    `--storage.tsdb.path=${join(work, 'data')}`,
    `--web.listen-address=${address}`,
    '--log.level=warn',
  ])
  const ask = async (path) => (await (await fetch(`http://${address}/api/v1/${path}`)).json()).data
  const query = async (expr) =>
    (await ask(`query?query=${encodeURIComponent(withValues(expr, '10s'))}`))?.result ?? []

  await until(`Prometheus has seen all nodes: ${log()}`, async () => {
    await someTraffic(cluster)
    return (await query('count(count_over_time(shoal_peers_up[1m]) > 4) == 3')).length > 0
  })
  for (const { title, targets } of panels) {
    if (EMPTY_WHEN_WELL.includes(title)) continue
    for (const { expr } of targets) {
      const found = await until(`${title} shows something: ${expr}`, async () => {
        const result = await query(expr)
        if (result.length > 0) return result
        await someTraffic(cluster)
        return undefined
      })
      t.ok(found.length > 0, title)
    }
  }
  await until('every rule was evaluated', async () => {
    const evaluated = await rulesOf(ask)
    return (
      evaluated.length === rules.length && evaluated.every(({ health }) => health !== 'unknown')
    )
  })
  for (const { name, health, lastError } of await rulesOf(ask))
    t.equal(health, 'ok', `${name} ${lastError ?? ''}`)
  const firing = (await rulesOf(ask)).filter(({ state }) => state === 'firing')
  t.same(
    firing.map(({ name }) => name),
    [],
    'no alert while all is well',
  )
}

const rulesOf = async (ask) => (await ask('rules')).groups.flatMap((group) => group.rules)

t.test('promtool finds no fault in rules and configuration', needs('promtool'), async (t) => {
  await passes(t, 'promtool', [
    'check',
    'rules',
    '--lint=all',
    '--lint-fatal',
    'prometheus/rules.yaml',
  ])
  await passes(t, 'promtool', ['check', 'config', 'prometheus/prometheus.yaml'])
  const work = mkdtempSync(join(tmpdir(), 'shoal-rules-'))
  t.teardown(() => rmSync(work, { recursive: true }))
  const wrong = join(work, 'rules.yaml')
  writeFileSync(wrong, textOf('prometheus/rules.yaml').replace('for: 2m', 'for: a while'))
  await refuses(t, 'promtool', ['check', 'rules', wrong], /a while/)
})

t.test('alerts come when they should', needs('promtool'), async (t) => {
  await passes(t, 'promtool', ['test', 'rules', 'prometheus/rules.test.yaml'])
  const work = mkdtempSync(join(tmpdir(), 'shoal-rules-'))
  t.teardown(() => rmSync(work, { recursive: true }))
  const stories = textOf('prometheus/rules.test.yaml')
  writeFileSync(join(work, 'rules.test.yaml'), stories)
  writeFileSync(
    join(work, 'rules.yaml'),
    textOf('prometheus/rules.yaml').replaceAll('up{job="shoal"} == 0', 'up{job="shoal"} == 2'),
  )
  await refuses(t, 'promtool', ['test', 'rules', join(work, 'rules.test.yaml')], /ShoalNodeDown/)
})

t.test('every alert leads to a section that tells what to do', async (t) => {
  const alerts = rules.filter(({ alert }) => alert !== undefined)
  for (const { alert, annotations, labels } of alerts) {
    const [file, section] = annotations.runbook_url.split('#')
    t.ok(existsSync(join(root, file)), `${alert}: ${file}`)
    const headings = [...readFileSync(join(root, file), 'utf8').matchAll(/^#+ (.*)$/gm)]
    const anchors = headings.map(([, text]) => anchorOf(text))
    t.ok(anchors.includes(section), `${alert}: ${section}`)
    t.match(labels.severity, /^(page|ticket)$/)
    t.ok(annotations.summary && annotations.description, `${alert} says what is wrong`)
  }
})

/** As the places that show Markdown make them. */
const anchorOf = (heading) =>
  heading
    .toLowerCase()
    .replaceAll(/[^\w -]/g, '')
    .replaceAll(' ', '-')

async function freePort() {
  const server = createServer()
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address()
  await new Promise((resolve) => server.close(resolve))
  return port
}
