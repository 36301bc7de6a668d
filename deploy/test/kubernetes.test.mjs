import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { parseAllDocuments } from 'yaml'
import { rendered } from '../tools/manifests.mjs'
import { accepted } from './support/settings.mjs'
import { folder, needs, passes, refuses, run, textOf } from './support/tool.mjs'

const chart = join(folder, 'helm', 'shoal')
/** The oldest and the newest version whose schemas the validator carries, of those we support. */
const versions = ['1.27', '1.30']

/** Ways to install the chart that differ in what they render. */
const ways = {
  'as it is': [],
  'in three zones': ['--set', 'zones={eu-1a,eu-1b,eu-1c}', '--set', 'nodes=2'],
  'with certificates': ['--set', 'tls.secretName=shoal-tls'],
  'open to its network': ['--set', 'allowOpen=true'],
  'each node in a zone of its own': ['--set', 'zoneAntiAffinity=required'],
  'with settings of its own': [
    ...['--set-string', 'settings.SHOAL_BUCKET_TTL=86400', '--set', 'storage.className=fast'],
    ...['--set', 'networkPolicy.enabled=false', '--set', 'prometheusAnnotations=false'],
  ],
}

const template = (version, more) => [
  'template',
  'shoal',
  chart,
  '--namespace',
  'shoal',
  '--kube-version',
  version,
  ...more,
]

const documentsOf = (text) => {
  const documents = parseAllDocuments(text)
  for (const { errors } of documents) if (errors.length > 0) throw errors[0]
  return documents.map((each) => each.toJS()).filter((each) => each !== null)
}

function temporary(t, text) {
  const work = mkdtempSync(join(tmpdir(), 'shoal-manifests-'))
  t.teardown(() => rmSync(work, { recursive: true }))
  const path = join(work, 'manifests.yaml')
  writeFileSync(path, text)
  return path
}

t.test('helm finds no fault in the chart', needs('helm'), async (t) => {
  const kube = ['--kube-version', versions.at(-1)]
  await passes(t, 'helm', ['lint', '--strict', ...kube, chart])
  await refuses(t, 'helm', ['lint', ...kube, '--set', 'nodes=many', chart], /nodes/)
  await refuses(t, 'helm', ['lint', ...kube, '--set', 'nodez=3', chart], /nodez/)
})

for (const [way, more] of Object.entries(ways)) {
  t.test(`what the chart renders ${way} is valid`, needs('helm', 'kubectl-validate'), async (t) => {
    for (const version of versions) {
      const text = await passes(t, 'helm', template(version, more))
      await passes(t, 'kubectl-validate', ['--version', version, temporary(t, text)])
      t.match(
        documentsOf(text).map(({ kind }) => kind),
        more.includes('networkPolicy.enabled=false')
          ? ['PodDisruptionBudget', 'Service', 'Service', 'StatefulSet']
          : ['NetworkPolicy', 'PodDisruptionBudget', 'Service', 'Service', 'StatefulSet'],
      )
    }
  })

  t.test(`a node takes what the chart renders ${way}`, needs('helm'), async (t) => {
    const { stdout } = await run('helm', template(versions[0], more))
    const sets = documentsOf(stdout).filter(({ kind }) => kind === 'StatefulSet')
    const peers = new Set()
    for (const { metadata, spec } of sets) {
      const pod = `${metadata.name}-${spec.replicas - 1}`
      const [{ env }] = spec.template.spec.containers
      const given = Object.fromEntries(env.map(({ name, value = pod }) => [name, value]))
      const values = await accepted(t, pod, { SHOAL_DATA: '/var/lib/shoal', ...given })
      t.equal(values['node-id'], pod)
      peers.add(given.SHOAL_PEERS)
      t.equal(
        given.SHOAL_TOKENS_FILE === undefined,
        way === 'open to its network',
        'asks for tokens',
      )
    }
    t.equal(peers.size, 1, 'every node is told the same members')
    const nodes = sets.reduce((sum, { spec }) => sum + spec.replicas, 0)
    t.equal([...peers][0].split(',').length, nodes, 'and all of them')
  })
}

t.test('the plain manifests are what the chart renders', needs('helm'), async (t) => {
  t.equal(textOf('kubernetes/shoal.yaml'), await rendered(), 'else: npm run manifests')
})

t.test('the plain manifests are valid by themselves', needs('kubectl-validate'), async (t) => {
  for (const version of versions) {
    const paths = ['kubernetes/shoal.yaml', 'kubernetes/namespace.yaml']
    await passes(t, 'kubectl-validate', ['--version', version, ...paths])
  }
  const wrong = textOf('kubernetes/shoal.yaml').replace('fsGroup: 10001', 'fsGroop: 10001')
  await refuses(t, 'kubectl-validate', [temporary(t, wrong)], /fsGroop/)
})

t.test('what belongs together fits together', async (t) => {
  const all = documentsOf(textOf('kubernetes/shoal.yaml'))
  const one = (kind) => all.find((each) => each.kind === kind)
  const set = one('StatefulSet').spec
  const pod = set.template
  const services = all.filter(({ kind }) => kind === 'Service')
  const headless = services.find(({ spec }) => spec.clusterIP === 'None')
  t.equal(set.serviceName, headless.metadata.name)
  t.equal(headless.spec.publishNotReadyAddresses, true)
  for (const selector of [
    ...services.map(({ spec }) => spec.selector),
    one('PodDisruptionBudget').spec.selector.matchLabels,
    one('NetworkPolicy').spec.podSelector.matchLabels,
    set.selector.matchLabels,
  ]) {
    t.match(pod.metadata.labels, selector, 'the selector finds the pods')
  }
  const [{ lifecycle, ...container }] = pod.spec.containers
  const delaySeconds = Number(lifecycle.preStop.exec.command[1])
  const drainSeconds = 10
  t.ok(pod.spec.terminationGracePeriodSeconds >= delaySeconds + drainSeconds + 15)
  const named = container.volumeMounts.map(({ name }) => name).sort()
  const defined = [...pod.spec.volumes, ...set.volumeClaimTemplates.map(({ metadata }) => metadata)]
  t.same(named, defined.map(({ name }) => name).sort())
  t.equal(pod.spec.securityContext.runAsNonRoot, true)
  t.equal(container.securityContext.readOnlyRootFilesystem, true)
})
