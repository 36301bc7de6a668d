import { spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { nodeId, type ShoalError } from '@shoal/kernel'
import t, { type Test } from 'tap'
import { openRocksStore } from '../src/rocksdb/rocks-store.ts'
import { formatFields } from '../src/rocksdb/text-file.ts'
import { storeOptions, temporaryFolder } from './support/place.ts'

async function folder(t: Test): Promise<string> {
  const { path, remove } = await temporaryFolder()
  t.teardown(remove)
  return path
}

async function write(directory: string, rows: number): Promise<void> {
  const store = await openRocksStore(storeOptions(directory))
  const batch = store.batch()
  for (let row = 0; row < rows; row++) {
    batch.put('rows', Buffer.from(`key ${row}`), Buffer.alloc(1_000, row))
    batch.put('versions', Buffer.from(`key ${row}`), Buffer.alloc(50, row))
  }
  store.write(batch)
  await store.close()
}

/** A directory with tables as well as a log: opening it again writes the log into tables. */
async function filled(t: Test): Promise<string> {
  const directory = await folder(t)
  await write(directory, 100)
  await write(directory, 10)
  return directory
}

/** Name, size and content of every file, so that "nothing was changed" can be checked. */
function contents(directory: string): Record<string, string> {
  const found: Record<string, string> = {}
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    const path = join(directory, name)
    if (statSync(path).isFile() && !name.endsWith('LOCK'))
      found[name] = readFileSync(path, 'latin1')
    else if (!name.endsWith('LOCK')) found[name] = 'folder'
  }
  return found
}

/** Opening fails with the code, says what is wrong, and leaves the directory as it was. */
async function refuses(
  t: Test,
  directory: string,
  expected: { code: string; message: RegExp },
  options: { cluster?: string; node?: string } = {},
): Promise<void> {
  const before = contents(directory)
  const settings = storeOptions(directory)
  const opened = openRocksStore({
    ...settings,
    cluster: options.cluster ?? settings.cluster,
    node: nodeId(options.node ?? settings.node),
  })
  await t.rejects(opened, expected)
  t.same(contents(directory), before, 'nothing was changed')
}

const database = (directory: string, pattern: RegExp): string => {
  const names = readdirSync(join(directory, 'rocksdb')).filter((name) => pattern.test(name))
  return join(directory, 'rocksdb', names.sort().at(-1) as string)
}

t.test('ST1 a new directory is made with its parents and says whose it is', async (t) => {
  const directory = join(await folder(t), 'a', 'b')
  const store = await openRocksStore(storeOptions(directory))
  const text = readFileSync(join(directory, 'SHOAL'), 'utf8')
  t.match(text, /^Shoal data directory\nformat 1\ncluster reef\nnode ada\ncheck [0-9a-f]{16}\n$/)
  t.same(readdirSync(directory).sort(), ['SHOAL', 'rocksdb'])
  await store.close()
  t.same(readdirSync(directory).sort(), ['CLOSED', 'SHOAL', 'rocksdb'])
  t.match(readFileSync(join(directory, 'CLOSED'), 'utf8'), /\n\d+\.log \d+\n/)
})

t.test('ST1 the directory of another node or cluster is refused', async (t) => {
  const directory = await filled(t)
  const code = 'SHOAL_STORE_FOREIGN'
  await refuses(t, directory, { code, message: /node ada, not to bob/ }, { node: 'bob' })
  await refuses(t, directory, { code, message: /cluster reef, not to atoll/ }, { cluster: 'atoll' })
  const store = await openRocksStore(storeOptions(directory))
  await store.close()
})

t.test('ST1 a directory that holds something else is refused, and stays as it is', async (t) => {
  const directory = await folder(t)
  writeFileSync(join(directory, 'thesis.tex'), 'chapter 1')
  mkdirSync(join(directory, 'photos'))
  const message = /not empty and not a Shoal data directory; it holds photos, thesis.tex/
  await refuses(t, directory, { code: 'SHOAL_STORE_FOREIGN', message })
})

t.test('ST1 a database without its SHOAL file is refused', async (t) => {
  const directory = await filled(t)
  rmSync(join(directory, 'SHOAL'))
  await refuses(t, directory, { code: 'SHOAL_STORE_FOREIGN', message: /it holds CLOSED, rocksdb/ })
})

t.test('ST1 a path that cannot be a directory is a matter of configuration', async (t) => {
  const directory = await folder(t)
  writeFileSync(join(directory, 'file'), '')
  const opened = openRocksStore(storeOptions(join(directory, 'file', 'data')))
  await t.rejects(opened, { code: 'SHOAL_CONFIG_INVALID', message: /cannot be used: ENOTDIR/ })
})

t.test('ST2 a newer format is refused before anything else is looked at', async (t) => {
  const directory = await filled(t)
  writeFileSync(join(directory, 'SHOAL'), 'Shoal data directory\nformat 2\nwhatever comes then\n')
  const message = /format 2; this version knows 1/
  await refuses(t, directory, { code: 'SHOAL_STORE_NEWER', message })
})

t.test('ST2 a column of a later version is refused', async (t) => {
  const directory = await filled(t)
  const script = `
    import { openDatabase, closeDatabase } from ${JSON.stringify(
      new URL('../src/rocksdb/binding.js', import.meta.url).href,
    )}
    const small = { compression: false, cacheSize: 0 }
    const names = ['default', 'versions', 'digests', 'hints', 'meta', 'ballots']
    const columns = Object.fromEntries(names.map((name) => [name, small]))
    const { db } = await openDatabase(${JSON.stringify(join(directory, 'rocksdb'))}, {
      createIfMissing: false, parallelism: 1, walCompression: false, columns,
    })
    await closeDatabase(db)`
  const ran = spawnSync(process.execPath, ['--input-type=module', '-e', script])
  t.equal(ran.status, 0, String(ran.stderr))
  rmSync(join(directory, 'CLOSED'))
  await refuses(t, directory, { code: 'SHOAL_STORE_NEWER', message: /ballots/ })
})

t.test('ST3 any change to the SHOAL file is noticed', async (t) => {
  const directory = await filled(t)
  const path = join(directory, 'SHOAL')
  const whole = readFileSync(path)
  const damaged = /SHOAL is damaged/
  for (let length = 0; length < whole.length; length += 7) {
    writeFileSync(path, whole.subarray(0, length))
    await refuses(t, directory, { code: 'SHOAL_STORE_DAMAGED', message: damaged })
  }
  const changed = Buffer.from(whole)
  changed[whole.indexOf('ada')] = 'A'.charCodeAt(0)
  writeFileSync(path, changed)
  await refuses(t, directory, { code: 'SHOAL_STORE_DAMAGED', message: damaged })
})

t.test('ST3 a missing or broken file is named, and nothing is made in its place', async (t) => {
  const original = await filled(t)
  const cases: [string, RegExp, (path: string) => void, RegExp][] = [
    ['CURRENT gone', /^CURRENT$/, (path) => rmSync(path), /CURRENT is missing/],
    ['MANIFEST gone', /^MANIFEST/, (path) => rmSync(path), /MANIFEST-\d+ is missing/],
    ['MANIFEST short', /^MANIFEST/, (path) => truncateSync(path, 100), /instead of/],
    ['table gone', /\.sst$/, (path) => rmSync(path), /\d+\.sst is missing/],
    ['table short', /\.sst$/, (path) => truncateSync(path, 100), /instead of/],
    ['log gone', /\.log$/, (path) => rmSync(path), /\d+\.log is missing/],
    ['log short', /\.log$/, (path) => truncateSync(path, 100), /instead of/],
    ['database gone', /./, (path) => rmSync(join(path, '..'), { recursive: true }), /is missing/],
  ]
  for (const [name, pattern, damage, message] of cases) {
    const directory = join(await folder(t), 'copy')
    cpSync(original, directory, { recursive: true })
    damage(database(directory, pattern))
    t.comment(name)
    await refuses(t, directory, { code: 'SHOAL_STORE_DAMAGED', message })
  }
})

t.test(
  'ST3 RocksDB itself notices most of it after a crash, when nothing else tells',
  async (t) => {
    const original = await filled(t)
    rmSync(join(original, 'CLOSED'))
    const cases: [string, RegExp, (path: string) => void][] = [
      ['MANIFEST gone', /^MANIFEST/, (path) => rmSync(path)],
      ['MANIFEST broken', /^MANIFEST/, (path) => writeFileSync(path, 'x'.repeat(300))],
      ['CURRENT broken', /^CURRENT$/, (path) => writeFileSync(path, 'nothing')],
      ['table gone', /\.sst$/, (path) => rmSync(path)],
      ['table short', /\.sst$/, (path) => truncateSync(path, 100)],
      [
        'table overwritten',
        /\.sst$/,
        (path) => writeFileSync(path, Buffer.alloc(statSync(path).size)),
      ],
    ]
    for (const [name, pattern, damage] of cases) {
      const directory = join(await folder(t), 'copy')
      cpSync(original, directory, { recursive: true })
      damage(database(directory, pattern))
      t.comment(name)
      await refuses(t, directory, { code: 'SHOAL_STORE_DAMAGED', message: /./ })
    }
  },
)

t.test('ST3 the word of a clean close is gone while the store is open', async (t) => {
  const directory = await filled(t)
  const store = await openRocksStore(storeOptions(directory))
  t.notOk(existsSync(join(directory, 'CLOSED')))
  await store.close()
  writeFileSync(join(directory, 'CLOSED'), 'Shoal store closed\n')
  await refuses(t, directory, { code: 'SHOAL_STORE_DAMAGED', message: /CLOSED is damaged/ })
})

t.test('ST4 a directory in use is refused, from this process and from another', async (t) => {
  const directory = await folder(t)
  const store = await openRocksStore(storeOptions(directory))
  const before = contents(directory)
  await t.rejects(openRocksStore(storeOptions(directory)), { code: 'SHOAL_STORE_LOCKED' })
  const here = pathToFileURL(join(import.meta.dirname, '..', 'src', 'index.js')).href
  const kernel = import.meta.resolve('@shoal/kernel')
  const script = `
    import { openRocksStore } from ${JSON.stringify(here)}
    import { createSystemEnv } from ${JSON.stringify(kernel)}
    const env = createSystemEnv(() => {})
    const directory = ${JSON.stringify(directory)}
    await openRocksStore({ env, directory, cluster: 'reef', node: 'ada' })
      .catch((error) => console.log(error.code))`
  const ran = spawnSync(process.execPath, ['--input-type=module', '-e', script])
  t.equal(String(ran.stdout).trim(), 'SHOAL_STORE_LOCKED', String(ran.stderr))
  t.same(contents(directory), before)
  await store.close()
})

t.test('ST5 a making that was cut short at any step is taken up again', async (t) => {
  const fields = [
    ['format', '1'],
    ['cluster', 'reef'],
    ['node', 'ada'],
  ] as const
  const steps: [string, (directory: string) => void][] = [
    ['before anything', () => {}],
    ['half a file', (directory) => writeFileSync(join(directory, 'SHOAL.new.draft'), 'Sho')],
    ['file without database', (directory) => claimed(directory)],
    ['empty database', (directory) => mkdirSync(join(claimed(directory), 'rocksdb'))],
    [
      'half a database',
      (directory) => {
        mkdirSync(join(claimed(directory), 'rocksdb'))
        writeFileSync(join(directory, 'rocksdb', 'MANIFEST-000001'), 'half')
        writeFileSync(join(directory, 'rocksdb', 'IDENTITY'), '')
      },
    ],
  ]
  const claimed = (directory: string): string => {
    writeFileSync(join(directory, 'SHOAL.new'), formatFields('Shoal data directory', fields))
    return directory
  }
  for (const [name, prepare] of steps) {
    const directory = await folder(t)
    prepare(directory)
    const store = await openRocksStore(storeOptions(directory))
    await store.close()
    t.ok(existsSync(join(directory, 'SHOAL')), name)
  }
  const whole = await filled(t)
  const path = join(whole, 'SHOAL')
  writeFileSync(join(whole, 'SHOAL.new'), readFileSync(path))
  rmSync(path)
  rmSync(join(whole, 'CLOSED'))
  await (await openRocksStore(storeOptions(whole))).close()
  t.ok(existsSync(path), 'database whole, not yet named')
})

t.test('ST5 another node does not take up what one began', async (t) => {
  const directory = await folder(t)
  const fields = [
    ['format', '1'],
    ['cluster', 'reef'],
    ['node', 'bob'],
  ] as const
  writeFileSync(join(directory, 'SHOAL.new'), formatFields('Shoal data directory', fields))
  await refuses(t, directory, { code: 'SHOAL_STORE_FOREIGN', message: /node bob, not to ada/ })
})

t.test('errors of opening name the place', async (t) => {
  const directory = await filled(t)
  rmSync(join(directory, 'CLOSED'))
  rmSync(database(directory, /\.sst$/))
  const error: ShoalError = await openRocksStore(storeOptions(directory)).then(
    () => t.fail('it opened'),
    (reason) => reason,
  )
  t.match(error.message, directory)
})

t.test('ST1 a path where nothing can be made is refused at once, even below /proc', async (t) => {
  if (!existsSync('/proc/self')) return t.comment('there is no /proc here')
  await t.rejects(openRocksStore(storeOptions('/proc/shoal/data')), {
    code: 'SHOAL_CONFIG_INVALID',
  })
})
