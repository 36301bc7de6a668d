/** `shoal config show`, and what `shoal start` and `shoal doctor` make of a configuration. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { shoal } from './support/shoal.ts'

const folder = mkdtempSync(join(tmpdir(), 'shoal-test-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true }))

const secret = join(folder, 'secret')
writeFileSync(secret, `${'hush-'.repeat(8)}\n`)

const file = join(folder, 'shoal.toml')
writeFileSync(
  file,
  [
    'node-id = "n1"',
    `secret-file = ${JSON.stringify(secret)}`,
    'partitions = 64',
    '[buckets]',
    'ttl = 60',
  ].join('\n'),
)

t.test('each value with the place it comes from', async (t) => {
  const { code, stdout, stderr } = await shoal(
    ['config', 'show', '--origins', '--config', file, '--data', join(folder, 'data')],
    { env: { SHOAL_PARTITIONS: '128', SHOAL_URL: 'http://127.0.0.1:1' } },
  )
  t.equal(code, 0, stderr)
  const lineOf = (name: string): string =>
    stdout.split('\n').find((line) => line.startsWith(`${name} `)) ?? ''
  t.match(lineOf('setting'), /^setting +value +from$/)
  t.match(lineOf('node-id'), new RegExp(` n1 +${file}: node-id$`))
  t.match(lineOf('data'), / --data$/)
  t.match(lineOf('partitions'), / 128 +SHOAL_PARTITIONS$/)
  t.match(lineOf('replicas'), / 3 +default$/)
  t.match(lineOf('bucket-ttl'), / 60 +.*: buckets\.ttl$/)
  t.notMatch(stdout, 'hush', 'the secret is not shown')
})

t.test('as JSON', async (t) => {
  const parameters = ['config', 'show', '--json', '--config', file, '--data', folder]
  const { code, stdout } = await shoal(parameters)
  t.equal(code, 0)
  const { settings } = JSON.parse(stdout) as { settings: { name: string; value: string }[] }
  t.match(
    settings.find(({ name }) => name === 'node-id'),
    { value: 'n1', origin: `${file}: node-id` },
  )
})

t.test('everything that is wrong is told at once, with suggestions', async (t) => {
  const wrong = join(folder, 'wrong.toml')
  writeFileSync(wrong, 'node-id = "n1"\npartition = 64\nreplicas = 99\n')
  for (const command of [['config', 'show'], ['start']]) {
    const { code, stderr } = await shoal([...command, '--config', wrong], {
      env: { SHOAL_LISTN: '127.0.0.1:4100' },
    })
    t.equal(code, 2)
    t.match(stderr, 'SHOAL_CONFIG_INVALID')
    t.match(stderr, /partition: .*did you mean partitions\?/)
    t.match(stderr, /SHOAL_LISTN: .*did you mean SHOAL_LISTEN\?/)
    t.match(stderr, /replicas/)
    t.match(stderr, /data/)
  }
  t.match(await shoal(['start', '--node-di', 'n1']), { code: 2, stderr: /Did you mean --node-id/ })
})

t.test('nobody listens beyond this machine unknowingly', async (t) => {
  const open = ['--config', file, '--data', join(folder, 'x'), '--listen', '0.0.0.0:4100']
  const { code, stderr } = await shoal(['start', ...open])
  t.equal(code, 2)
  t.match(stderr, /SHOAL_LISTEN_OPEN[\s\S]*--allow-open/)
  t.match(await shoal(['config', 'show', '--allow-open', ...open]), { code: 0 })
})

t.test('the doctor looks at what the configuration names', async (t) => {
  const { stdout } = await shoal(['doctor', '--json', '--config', file, '--data', folder])
  const { findings } = JSON.parse(stdout) as { findings: { check: string }[] }
  const about = (check: string) => findings.find((each) => each.check === check)
  t.match(about('settings'), { verdict: 'ok' })
  t.match(about('data directory'), { verdict: 'failure', found: /not one of Shoal/ })
  t.match(about('port'), { found: /127\.0\.0\.1:4100/ }, 'the default counts')

  const bad = await shoal(['doctor', '--json'], { env: { SHOAL_NODE_ID: 'n 1' } })
  t.equal(bad.code, 5)
  t.match(bad.stdout, /"check":"settings","verdict":"failure"/)
})
