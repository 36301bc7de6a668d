import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { root } from '../lib/house.mjs'

/** Below the repository, so that tap is found; hidden, so that nothing else is. */
const below = join(root, 'tools', '.tests')

function runIn(t, texts, parameters = []) {
  mkdirSync(below, { recursive: true })
  const folder = mkdtempSync(join(below, 'run-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  mkdirSync(join(folder, 'test'))
  for (const [name, text] of Object.entries(texts)) {
    writeFileSync(join(folder, 'test', name), `import t from 'tap'\n${text}\n`)
  }
  return new Promise((resolve) => {
    const command = [join(root, 'tools', 'run-tests.mjs'), ...parameters]
    const { TAP, TAP_CHILD_ID, ...env } = process.env
    execFile(process.execPath, command, { cwd: folder, env }, (error, stdout) => {
      const results = JSON.parse(readFileSync(join(folder, '.tests', 'results.json'), 'utf8'))
      resolve({ code: error?.code ?? 0, stdout, results })
    })
  })
}

const good = "t.test('holds', async (t) => t.ok(true))"

t.test('files that pass are summed', async (t) => {
  const { code, results } = await runIn(t, { 'a.test.mjs': good, 'b.test.mjs': good })
  t.equal(code, 0)
  t.match(results, { passed: 2, failed: 0, assertions: 2 })
  t.equal(results.files.length, 2)
})

t.test('each way of failing fails, and is said', async (t) => {
  const { code, stdout, results } = await runIn(
    t,
    {
      'assertion.test.mjs': "t.test('is equal', async (t) => t.equal(1, 2, 'one is two'))",
      'crash.test.mjs': `${good}\nprocess.on('exit', () => process.kill(process.pid, 'SIGKILL'))`,
      'empty.test.mjs': '',
      'exit.test.mjs': `${good}\nprocess.on('exit', () => { process.exitCode = 3 })`,
      'late.test.mjs': "t.test('comes back', () => new Promise(() => setInterval(() => {}, 1e6)))",
      'syntax.test.mjs': 'const',
    },
    ['--timeout=1'],
  )
  t.equal(code, 1)
  t.match(results, { failed: 6 })
  t.match(stdout, /is equal\n {2}one is two\n {2}at .*assertion\.test\.mjs:2:/)
  t.match(stdout, /ended by SIGKILL/)
  t.match(stdout, /holds no test/)
  t.match(stdout, /exit code 3/)
  t.match(stdout, /timeout!/)
  t.match(stdout, /SyntaxError/)
})

t.test('parts of names choose files', async (t) => {
  const { results } = await runIn(t, { 'a.test.mjs': good, 'b.test.mjs': good }, ['b.test'])
  t.match(results, { passed: 1, failed: 0 })
})
