import t from 'tap'
import { toFile } from '../tidy/files.mjs'
import { findDead } from '../tidy/reach.mjs'
import { findSpec } from '../tidy/spec.mjs'
import { judge } from '../tidy.mjs'

const files = (texts) => Object.entries(texts).map(([path, text]) => toFile(path, text))

const ring = {
  folder: 'packages/ring',
  manifest: {
    exports: { '.': { types: './dist/src/index.d.ts', default: './dist/src/index.js' } },
    bin: { ring: './bin/ring.js' },
    scripts: { bench: 'node dist/src/bench.js' },
  },
}

const dead = (texts) => [...findDead(files(texts), [ring])].map(({ path }) => path)

t.test('what the index, a command or a worker address leads to is alive', async (t) => {
  const texts = {
    'packages/ring/src/index.ts': "export { a } from './a.ts'",
    'packages/ring/src/a.ts': "import type { B } from './b.ts'\nimport('./c.ts')",
    'packages/ring/src/b.ts': "new URL('./worker.js', import.meta.url)",
    'packages/ring/src/c.ts': '',
    'packages/ring/src/worker.ts': '',
    'packages/ring/bin/ring.js': "import '../dist/src/main.js'",
    'packages/ring/src/main.ts': '',
  }
  t.same(dead(texts), [])
})

t.test('a file that nothing needs, or that only tests need, is dead', async (t) => {
  const texts = {
    'packages/ring/src/index.ts': '',
    'packages/ring/src/forgotten.ts': '',
    'packages/ring/src/for-tests.ts': '',
    'packages/ring/test/a.test.ts': "import '../src/for-tests.ts'\nimport './support/used.ts'",
    'packages/ring/test/support/used.ts': '',
    'packages/ring/test/support/unused.ts': '',
  }
  t.same(dead(texts), [
    'packages/ring/src/forgotten.ts',
    'packages/ring/src/for-tests.ts',
    'packages/ring/test/support/unused.ts',
  ])
})

const spec = '# Ring\n\n- **R1** every key has a place\n| `R2` | places are even |\n### R3 stable\n'
const specFaults = (texts) =>
  [...findSpec(files(texts))].map(({ path, line, message }) => `${path}:${line} ${message}`)

t.test('each invariant is named by a test of its package', async (t) => {
  const texts = {
    'packages/ring/SPEC.md': spec,
    'packages/ring/test/a.test.ts': "t.test('R1 and R2 hold')",
    'packages/wire/test/a.test.ts': "t.test('R3, elsewhere')",
  }
  t.same(specFaults(texts), ['packages/ring/SPEC.md:5 no test of this package names R3'])
})

t.test('a test may not name an invariant that is written down nowhere', async (t) => {
  const texts = {
    'packages/ring/SPEC.md': spec,
    'docs/rules.md': '- **R4** of the whole',
    'packages/ring/test/a.test.ts': "t.test('R1 to R3: R2, R4 (V4)')\nt.test('R9 holds')",
  }
  t.same(specFaults(texts), ['packages/ring/test/a.test.ts:2 no document introduces R9'])
})

const fault = { rule: 'world', path: 'packages/a/src/x.ts', line: 1, message: '', name: 'Date' }
const allowance = { rule: 'world', path: fault.path, reason: 'it is the adapter' }

t.test('an allowance covers its rule, file and names, and nothing else', async (t) => {
  t.same(judge([fault], [allowance]), [])
  t.same(judge([fault], [{ ...allowance, names: ['Date'] }]), [])
  t.same(judge([fault], [{ ...allowance, path: 'packages/a/src/*' }]), [])
  t.match(judge([fault], [{ ...allowance, names: ['process'] }]), [fault])
  t.match(judge([fault], [{ ...allowance, rule: 'sleep' }]), [fault])
})

t.test('an allowance without reason, or that covers nothing any more, is a fault', async (t) => {
  t.match(judge([], [allowance]), [{ rule: 'allowance', message: /no longer needed/ }])
  t.match(judge([fault], [{ ...allowance, reason: '' }]), [{ message: /needs a reason/ }])
})
