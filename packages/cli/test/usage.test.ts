/** What every command has in common, as processes. */
import { execFile, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { wantsColour } from '../src/terminal.ts'
import { fakeCluster } from './support/fake-cluster.ts'
import { cleanEnvironment, script, shoal } from './support/shoal.ts'

t.test('the version alone, so that a script can compare it', async (t) => {
  t.match(await shoal(['--version']), { code: 0, stdout: /^\d+\.\d+\.\d+\n$/, stderr: '' })
  t.match(await shoal(['get', '-V']), { code: 2 }, 'it belongs to shoal itself')
})

t.test('help is an answer, and its absence a mistake', async (t) => {
  const { code, stdout, stderr } = await shoal(['--help'])
  t.equal(code, 0)
  t.equal(stderr, '')
  for (const name of ['dev', 'start', 'get', 'put', 'delete', 'list', 'status', 'explain']) {
    t.match(stdout, new RegExp(`^ {2}${name} `, 'm'))
  }
  t.match(await shoal(['help', 'get']), { code: 0, stdout: /Usage: shoal get/ })
  t.match(await shoal([]), { code: 2, stdout: '', stderr: /Usage: shoal/ })
})

t.test('a mistake is exit code 2, with a suggestion and nothing on standard output', async (t) => {
  const wrong: [string[], RegExp][] = [
    [['gte', 'a', 'b'], /unknown command 'gte'[\s\S]*Did you mean get\?/],
    [['get', 'a', 'b', '--consistancy', 'one'], /Did you mean --consistency\?/],
    [['get', 'a'], /missing required argument 'key'[\s\S]*shoal get --help/],
    [['get', 'a', 'b', 'c'], /too many arguments/],
    [['get', 'a', 'b', '--timeout', '0'], /whole number from 1 to 60000/],
    [['bench', '--read-ratio', '1.5'], /number from 0 to 1/],
    [['dev', '--nodes', '17'], /whole number from 1 to 16/],
    [['get', 'a', 'b', '--url', 'nonsense:x'], /not the URL of a node/],
    [['get', 'a b', 'c'], /SHOAL_BUCKET_INVALID/],
    [['get', 'a', 'k'.repeat(1_025)], /SHOAL_KEY_TOO_LONG/],
  ]
  const ran = await Promise.all(wrong.map(([parameters]) => shoal(parameters)))
  for (const [index, [parameters, message]] of wrong.entries()) {
    t.match(ran[index], { code: 2, stdout: '', stderr: message }, parameters.join(' '))
  }
})

t.test('colour is for terminals, and for those who want it', async (t) => {
  t.equal(wantsColour(true, {}), true)
  t.equal(wantsColour(false, {}), false)
  t.equal(wantsColour(true, { NO_COLOR: '1' }), false)
  t.equal(wantsColour(true, { NO_COLOR: '' }), true, 'empty is not set')
  t.equal(wantsColour(true, { TERM: 'dumb' }), false)
  const { stderr } = await shoal(['get', 'a'], { env: { FORCE_COLOR: '1' } })
  t.notMatch(stderr, '\u001b', 'a pipe gets none')
})

t.test('a pipe that is closed early ends the command without a word', async (t) => {
  const keys = Array.from({ length: 1_000 }, (_, index) => `key-${index}`.padEnd(200, 'x'))
  const { url } = await fakeCluster(t, () => ({ status: 200, body: { keys, cursor: 'more' } }))
  const child = spawn(process.execPath, [script, 'list', 'a', '--url', url], {
    env: cleanEnvironment(),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stderr = ''
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  child.stdout.once('data', () => child.stdout.destroy())
  const code = await new Promise((resolve) => child.once('close', resolve))
  t.equal(code, 0)
  t.equal(stderr, '')
})

t.test('docs/cli.md holds what the commands say', async (t) => {
  const tool = fileURLToPath(new URL('../../tools/write-reference.mjs', import.meta.url))
  const [code, stderr] = await new Promise<[unknown, string]>((resolve) => {
    execFile(process.execPath, [tool, '--check'], (error, _stdout, stderr) =>
      resolve([error?.code ?? 0, stderr]),
    )
  })
  t.equal(code, 0, stderr)
})
