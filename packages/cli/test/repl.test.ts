/** Commands one after the other, and completion. */
import { execFile, execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { completions, knownCommands } from '../src/completion/known.ts'
import { completionScript, shells } from '../src/completion/scripts.ts'
import { makeProgram } from '../src/program/program.ts'
import { Contexts } from '../src/repl/contexts.ts'
import { splitWords } from '../src/repl/words.ts'
import { run } from '../src/run.ts'
import { systemIo } from '../src/terminal.ts'
import { about, fakeCluster } from './support/fake-cluster.ts'
import { cleanEnvironment, type Ran, script } from './support/shoal.ts'

const known = knownCommands(makeProgram({ io: systemIo(), ended: () => {}, run }))

t.test('a line falls into words as in a shell', async (t) => {
  const lines: [string, string[]][] = [
    ['put carts 42 milk', ['put', 'carts', '42', 'milk']],
    [`  put a 'it is' "so \\" it" b\\ c  `, ['put', 'a', 'it is', 'so " it', 'b c']],
    [`put a b ''`, ['put', 'a', 'b', '']],
    ['get a b#c # a remark', ['get', 'a', 'b#c']],
    ["get a 'back\\slash'", ['get', 'a', 'back\\slash']],
    ['', []],
  ]
  for (const [line, words] of lines) t.same(splitWords(line), { words, open: undefined }, line)
  t.equal(splitWords('put a "b').open, '"')
  t.equal(splitWords("put a 'b").open, "'")
  t.equal(splitWords('put a \\').open, '\\')
})

t.test('what is typed is completed', async (t) => {
  t.same(completions(known, ['st']), ['start', 'status'])
  t.same(completions(known, ['config', '']), ['show'])
  t.ok(completions(known, ['get', 'a', '--cons']).includes('--consistency'))
  t.same(completions(known, ['nonsense', 'sta']), ['start', 'status'])
})

t.test('contexts are kept, the newest', async (t) => {
  const contexts = new Contexts(2)
  const target = (key: string) => ({ bucket: 'b', key })
  contexts.keep(target('1'), 'one')
  contexts.keep(target('2'), 'two')
  contexts.keep(target('1'), 'three')
  contexts.keep(target('3'), '')
  contexts.keep(target('4'), 'four')
  t.same(
    ['1', '2', '3', '4'].map((key) => contexts.of(target(key))),
    ['three', undefined, undefined, 'four'],
  )
})

function sitting(url: string, lines: readonly string[]): Promise<Ran> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [script, 'repl', '--url', url], {
      env: cleanEnvironment(),
    })
    let [stdout, stderr] = ['', '']
    child.stdout.on('data', (text) => {
      stdout += text
    })
    child.stderr.on('data', (text) => {
      stderr += text
    })
    child.on('close', (code) => resolve({ code, stdout, stderr }))
    child.stdin.end(lines.map((line) => `${line}\n`).join(''))
  })
}

t.test('a write follows what was read, and a script ends with what fails', async (t) => {
  const { url, requests } = await fakeCluster(t, ({ method, url: asked }) => {
    if (/missing/.test(asked)) return { status: 404, headers: about() }
    const headers = about({ 'causal-context': `c1.${requests.length}` })
    return { status: method === 'GET' ? 200 : 204, headers, body: method === 'GET' ? 'milk' : '' }
  })
  const ran = await sitting(url, [
    'get carts 42 --quiet',
    'put carts 42 "milk,',
    'eggs"',
    'put carts 42 x --blind',
    'put carts 43 y',
    '# nothing',
    'dev',
    'put carts 44 never',
  ])
  t.match(ran, { code: 2, stdout: 'milk', stderr: /dev cannot be used here/ })
  t.same(
    requests.map(({ method, headers, body }) => [method, headers['causal-context'], `${body}`]),
    [
      ['GET', undefined, ''],
      ['PUT', 'c1.1', 'milk,\neggs'],
      ['PUT', undefined, 'x'],
      ['PUT', undefined, 'y'],
    ],
  )
  t.match(await sitting(url, ['put carts 42']), { code: 2, stderr: /no value was given/ })
  t.match(await sitting(url, ['get carts missing', 'get carts 42']), { code: 1, stdout: '' })
  t.match(await sitting(url, ['exit', 'get carts 42']), { code: 0, stdout: '' })
})

t.test('bash completes commands and options', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'shoal-completion-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'shoal.bash')
  writeFileSync(path, completionScript('bash', known))
  const complete = (...words: string[]): string[] => {
    const line = words.map((word) => `'${word}'`).join(' ')
    const ask = `source ${path}; COMP_WORDS=(shoal ${line}); COMP_CWORD=${words.length}; _shoal
      printf '%s\\n' "\${COMPREPLY[@]}"`
    return execFileSync('bash', ['-c', ask], { encoding: 'utf8' }).trim().split('\n')
  }
  t.same(complete('sta'), ['start', 'status'])
  t.same(complete('config', 'sh'), ['show'])
  t.same(complete('get', 'bucket', 'key', '--cons'), ['--consistency'])
})

t.test('every shell that is here can read its script', async (t) => {
  for (const shell of shells) {
    const text = completionScript(shell, known)
    t.match(text, `# shoal completion ${shell}`)
    const place = [`/usr/bin/${shell}`, `/bin/${shell}`].find((path) => existsSync(path))
    if (place === undefined) {
      t.comment(`${shell} is not here: its script is not read`)
      continue
    }
    const folder = mkdtempSync(join(tmpdir(), 'shoal-completion-'))
    t.teardown(() => rmSync(folder, { recursive: true }))
    writeFileSync(join(folder, 'script'), text)
    await promisify(execFile)(place, ['-n', join(folder, 'script')])
  }
})
