import t from 'tap'
import { toFile } from '../tidy/files.mjs'
import { findSyntax } from '../tidy/syntax.mjs'
import { findText } from '../tidy/text.mjs'
import { findWorld } from '../tidy/world.mjs'

const found = (path, text) => {
  const file = toFile(path, text)
  return [...findWorld(file), ...findSyntax(file), ...findText(file)].map(
    ({ rule, line }) => `${rule}:${line}`,
  )
}

const src = 'packages/ring/src/x.ts'
const core = 'packages/ring/src/core/x.ts'
const test = 'packages/ring/test/x.test.ts'
const marker = 'TO' + 'DO'

/** [what, path, text, faults] */
const cells = [
  ['a wall clock', src, 'const now = Date.now()', ['world:1']],
  ['a new date', src, 'export const x = 1\nconst d = new Date()', ['world:2']],
  ['a monotonic clock', src, 'performance.now()', ['world:1']],
  ['unseeded chance', src, 'Math.random()', ['world:1']],
  ['arithmetic', src, 'Math.floor(1.5)', []],
  ['a timer', src, 'setTimeout(f, 1)', ['world:1']],
  ['the environment', src, 'process.env.HOME', ['world:1']],
  ['a shorthand global', src, 'const o = { process }', ['world:1']],
  ['printing', src, 'console.log(1)', ['world:1']],
  ['a member that sounds like a global', src, 'env.clock.setTimeout; x.process.Date', []],
  ['a key that sounds like a global', src, 'const o = { Date: 1, process() {} }', []],
  ['a parameter that sounds like one', src, 'const f = (process: number) => process + 1', []],
  ['a mention in a comment or string', src, "// Date.now()\nconst s = 'setTimeout'", []],
  ['the file system', src, "import { readFile } from 'node:fs/promises'", ['world:1']],
  ['sockets, without the prefix', src, "import net from 'net'", ['world:1']],
  ['a worker, loaded late', src, "await import('node:worker_threads')", ['world:1']],
  ['random bytes', src, "import { randomBytes } from 'node:crypto'", ['world:1']],
  ['renamed random bytes', src, "import { randomInt as n } from 'node:crypto'", ['world:1']],
  ['all of crypto', src, "import crypto from 'node:crypto'", ['world:1']],
  ['a hash', src, "import { createHmac } from 'node:crypto'", []],
  ['the world in node', 'packages/node/src/x.ts', 'process.exit(Date.now())', []],
  ['the world in a test', test, 'Date.now()', []],

  ['export everything', src, "export * from './y.ts'", ['export-star:1']],
  ['export everything under a name', src, "export * as y from './y.ts'", ['export-star:1']],
  ['export a list', src, "export { y } from './y.ts'", []],
  ['a bare error', src, "throw new Error('no')", ['bare-error:1']],
  ['a bare range error', src, "throw new RangeError('no')", ['bare-error:1']],
  ['a bare rejection', src, "Promise.reject(new Error('no'))", ['bare-error:1']],
  ['an error handed over', src, "halt(new Error('no'))", []],
  ['an error with a code', src, "throw new ShoalError('SHOAL_X', 'no')", []],
  ['a bare error in a test', test, "throw new Error('no')", []],
  ['an async function in a core', core, 'async function f() {}', ['async-core:1']],
  ['waiting in a core', core, 'f()\nawait g()', ['async-core:2']],
  ['a promise type in a core', core, 'type P = Promise<number>', ['async-core:1']],
  ['an async function outside', src, 'async function f() { await g() }', []],

  ['a sleep', test, 'await new Promise((r) => setTimeout(r, 50))', ['sleep:1']],
  ['a sleep in a block', test, 'new Promise((r) => { setTimeout(() => r(), 5) })', ['sleep:1']],
  ['a sleep from node', test, "import { setTimeout } from 'node:timers/promises'", ['sleep:1']],
  ['a promisified sleep', test, 'const sleep = promisify(setTimeout)', ['sleep:1']],
  ['a sleep on shared memory', test, 'Atomics.wait(a, 0, 0, 5)', ['sleep:1']],
  ['a deadline', test, 'new Promise((_, no) => { setTimeout(() => no(e), 5) })', []],

  ['a marker', src, `// ${marker}: later`, ['marker:1']],
  ['a marker in a document', 'docs/x.md', `- ${marker}`, ['marker:1']],
  ['a long comment', src, `// ${'word '.repeat(30)}`, ['columns:1']],
  ['100 columns', src, `// ${'x'.repeat(97)}`, []],
  ['a long address', src, `// https://example.com/${'x'.repeat(100)}`, []],
  ['a long line of a document', 'docs/x.md', 'word '.repeat(40), []],
  ['a table left alone', src, `// biome-ignore format: a table\nf('${'x'.repeat(120)}')`, []],
  ['500 lines', src, 'f()\n'.repeat(500), []],
  ['501 lines', src, 'f()\n'.repeat(501), ['length:0']],
  ['a suppression', src, '// @ts-ignore\nf()', ['suppression:1']],
  ['a suppression without reason', src, '// @ts-expect-error\nf()', ['suppression:1']],
  ['a suppression with one', src, '// @ts-expect-error: the types lack this overload\nf()', []],
  ['a type in an index', 'packages/ring/src/index.ts', 'export type A = 1', ['index-lists:1']],
  ['a list in an index', 'packages/ring/src/index.ts', "export { a } from './a.ts'", []],
]

for (const [what, path, text, faults] of cells) {
  t.test(`${what} in ${path}`, async (t) => {
    t.same(found(path, text), faults)
  })
}

t.test('every message says what to do instead', async (t) => {
  const file = toFile(src, "import 'node:fs'\nsetTimeout(f, 1)")
  t.same(
    [...findWorld(file)].map(({ message }) => message),
    [
      "node:fs is outside this package's reach: use the Store port",
      "setTimeout is outside this package's reach: use env.clock.after()",
    ],
  )
})
