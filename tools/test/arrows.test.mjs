import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { findFaults, libraryOf } from '../arrows.mjs'
import { root } from '../lib/house.mjs'

const packages = { kernel: [], ring: ['kernel'], storage: ['ring'], client: ['kernel'] }

const manifest = (name, below) => ({
  name: `@shoal/${name}`,
  version: '0.1.0',
  exports: { '.': './dist/src/index.js' },
  dependencies: Object.fromEntries(below.map((each) => [`@shoal/${each}`, '0.1.0'])),
})

const tsconfig = (below) => ({ references: below.map((each) => ({ path: `../${each}` })) })

const importing = (below) =>
  below.map((each) => `import type { A as ${each} } from '@shoal/${each}'`).join('\n')

/** A sound repository of a few packages, then `changes`: texts or JSON by path. */
async function faultsWith(t, changes) {
  mkdirSync(join(root, 'tools', '.tests'), { recursive: true })
  const base = mkdtempSync(join(root, 'tools', '.tests', 'arrows-'))
  t.teardown(() => rmSync(base, { recursive: true, force: true }))
  const write = (path, content) => {
    mkdirSync(join(base, path, '..'), { recursive: true })
    writeFileSync(join(base, path), typeof content === 'string' ? content : JSON.stringify(content))
  }
  for (const path of ['.dependency-cruiser.cjs', 'tools/architecture.json']) {
    mkdirSync(join(base, path, '..'), { recursive: true })
    cpSync(join(root, path), join(base, path))
  }
  write('package.json', { workspaces: ['packages/*'], devDependencies: { tap: '21.8.0' } })
  write('tsconfig.json', {
    references: Object.keys(packages).map((name) => ({ path: `packages/${name}` })),
  })
  mkdirSync(join(base, 'node_modules', '@shoal'), { recursive: true })
  for (const [name, below] of Object.entries(packages)) {
    write(`packages/${name}/package.json`, manifest(name, below))
    write(`packages/${name}/tsconfig.json`, tsconfig(below))
    write(`packages/${name}/src/index.ts`, importing(below))
    write(`packages/${name}/dist/src/index.js`, '')
    symlinkSync(join(base, 'packages', name), join(base, 'node_modules', '@shoal', name))
  }
  for (const [path, content] of Object.entries(changes)) write(path, content)
  return findFaults(base)
}

/** [what, changes, what is said] */
const cells = [
  ['a sound repository', {}, []],
  [
    'an import from above',
    { 'packages/kernel/src/a.ts': "import type { A } from '@shoal/ring'" },
    [/kernel\/src\/a\.ts -> .*kernel-imports-from-below/, /imports @shoal\/ring, which its dep/],
  ],
  [
    'an import by the client from row 3',
    { 'packages/client/src/a.ts': "import { a } from '@shoal/storage'" },
    [/client-imports-from-below/, /imports @shoal\/storage, which/],
  ],
  [
    'a path into another package',
    { 'packages/ring/src/a.ts': "import { a } from '../../kernel/src/index.ts'" },
    [/packages-meet-at-their-faces/],
  ],
  [
    'a cycle of types',
    {
      'packages/ring/src/a.ts': "import type { B } from './b.ts'\nexport type A = B",
      'packages/ring/src/b.ts': "import type { A } from './a.ts'\nexport type B = A",
    },
    [/a\.ts -> .*b\.ts -> .*a\.ts: no-cycles/],
  ],
  [
    'a core that knows its shell',
    {
      'packages/ring/src/core/a.ts': "import { b } from '../shell/b.ts'",
      'packages/ring/src/shell/b.ts': 'export const b = 1',
    },
    [/core-is-pure: /],
  ],
  [
    'a core that knows node',
    {
      'packages/ring/src/core/a.ts': "import { once } from 'node:events'",
      'packages/ring/src/core/b.ts': "import { createHash } from 'node:crypto'",
    },
    [/a\.ts -> events: core-is-pure-of-libraries/],
  ],
  [
    'a source that knows a test',
    {
      'packages/ring/src/a.ts': "import { b } from '../test/b.ts'",
      'packages/ring/test/b.ts': 'export const b = 1',
    },
    [/sources-do-not-know-their-tests/],
  ],
  [
    'an import that leads nowhere',
    { 'packages/ring/src/a.ts': "import { b } from './b.ts'" },
    [/everything-resolves/],
  ],
  [
    'a library in the wrong package',
    {
      'packages/ring/src/a.ts': "import { b } from 'undici'",
      'packages/ring/package.json': {
        ...manifest('ring', ['kernel']),
        dependencies: { '@shoal/kernel': '0.1.0', undici: '7.30.2' },
      },
    },
    [/only transport and client may name it/],
  ],
  [
    'a library nobody decided on',
    { 'packages/ring/src/a.ts': "import { b } from 'tap'" },
    [/has no line in tools\/architecture\.json/, /imports tap, which its dependencies lack/],
  ],
  [
    'a library named in two files',
    {
      'packages/storage/src/a.ts': "import { b } from '@nxtedition/rocksdb'",
      'packages/storage/src/b.ts': "import { b } from '@nxtedition/rocksdb'",
      'packages/storage/package.json': {
        ...manifest('storage', ['ring']),
        dependencies: { '@shoal/ring': '0.1.0', '@nxtedition/rocksdb': '12.2.12' },
      },
    },
    [/only one file may name @nxtedition\/rocksdb/],
  ],
  [
    'a dependency nobody imports',
    { 'packages/ring/src/index.ts': '' },
    [/packages\/ring: depends on @shoal\/kernel and never imports it/],
  ],
  [
    'a range of versions',
    {
      'packages/ring/package.json': {
        ...manifest('ring', []),
        dependencies: { '@shoal/kernel': '^0.1.0' },
      },
    },
    [/not one exact version/, /wants @shoal\/kernel/],
  ],
  [
    'a reference too few and one too many',
    {
      'packages/ring/tsconfig.json': tsconfig([]),
      'packages/client/tsconfig.json': tsconfig(['kernel', 'ring']),
    },
    [
      /client: its tsconfig\.json refers to @shoal\/ring/,
      /ring: depends on @shoal\/kernel, which the/,
    ],
  ],
  [
    'tests that nobody runs',
    { 'packages/ring/test/a.test.ts': "import t from 'tap'" },
    [/packages\/ring: has tests and no test script/],
  ],
  [
    'a package that the root does not build and the architecture does not know',
    { 'packages/new/package.json': manifest('new', []), 'packages/new/tsconfig.json': '{}' },
    [/packages\/new: has no row/, /references lack packages\/new/],
  ],
]

for (const [what, changes, said] of cells) {
  t.test(what, async (t) => {
    const faults = (await faultsWith(t, changes)).sort()
    t.equal(faults.length, said.length, faults.join('\n'))
    for (const line of said)
      t.ok(
        faults.some((fault) => line.test(fault)),
        `${line}`,
      )
  })
}

t.test('the library behind an import', async (t) => {
  t.equal(libraryOf('@fastify/swagger/x.js'), '@fastify/swagger')
  t.equal(libraryOf('undici/types'), 'undici')
  for (const ours of ['./x.ts', 'node:fs', 'fs', '@shoal/ring', 'shoal']) {
    t.equal(libraryOf(ours), undefined)
  }
})
