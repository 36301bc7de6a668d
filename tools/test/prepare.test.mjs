import { spawn } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import t from 'tap'
import { root } from '../lib/house.mjs'

/**
 * A repository of one package, with our scripts, an npm that installs a turbo, and a turbo that
 * builds by making `dist`. Both write down that they were called.
 */
function repository(t) {
  const base = mkdtempSync(join(tmpdir(), 'shoal-prepare-'))
  t.teardown(() => rmSync(base, { recursive: true, force: true }))
  const write = (path, text, mode = 0o644) => {
    mkdirSync(dirname(join(base, path)), { recursive: true })
    writeFileSync(join(base, path), text)
    chmodSync(join(base, path), mode)
  }
  for (const path of ['lib/house.mjs', 'lib/launch.mjs', 'prepare.mjs', 'start.mjs']) {
    mkdirSync(dirname(join(base, 'tools', path)), { recursive: true })
    cpSync(join(root, 'tools', path), join(base, 'tools', path))
  }
  write('package.json', '{ "workspaces": ["packages/*"] }')
  for (const path of ['package-lock.json', 'turbo.json', 'tsconfig.base.json']) write(path, '{}')
  write('packages/cli/package.json', '{ "name": "shoal" }')
  write('packages/cli/src/main.ts', 'f()')
  write('packages/cli/bin/shoal.js', command)
  write('bin/npm', npm, 0o755)
  write('plan.json', '{ "tasks": [] }')
  return { base, write, calls: () => read(join(base, 'calls')), run: (...c) => run(base, c) }
}

const npm = `#!/bin/sh
echo "npm $*" >> calls
mkdir -p node_modules/.bin
cat > node_modules/.bin/turbo <<'END'
#!/bin/sh
case "$*" in *--dry=json*) cat plan.json; exit;; esac
echo "turbo $*" | cut -d ' ' -f 1-3 >> calls
if [ -e broken ]; then exit 2; fi
mkdir -p packages/cli/dist && touch packages/cli/dist/.tsbuildinfo
END
cat > node_modules/.bin/tsc <<'END'
#!/bin/sh
echo "tsc $*" >> calls
exit 1
END
chmod +x node_modules/.bin/*
if [ -e offline ]; then exit 7; fi
`

const command = `
const parameters = process.argv.slice(2)
if (parameters[1] === 'wait') {
  process.on('SIGTERM', () => process.exit(42))
  console.log('waiting')
  setInterval(() => {}, 1_000_000)
} else {
  console.log(JSON.stringify(parameters))
  process.exitCode = 5
}
`

const read = (path) => (existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : [])

/** Runs one of the scripts to its end; `whenSays` may act on what it prints. */
function run(base, [script, ...parameters], whenSays = () => {}) {
  return new Promise((resolve) => {
    const env = { ...process.env, PATH: `${join(base, 'bin')}:${process.env.PATH}`, INIT_CWD: base }
    const child = spawn(process.execPath, [join(base, 'tools', script), ...parameters], { env })
    let stdout = ''
    child.stdout.on('data', (chunk) => {
      stdout += chunk
      whenSays(stdout, child)
    })
    child.on('close', (code) => resolve({ code, stdout }))
  })
}

t.test('a fresh clone is installed and built once, and then left alone', async (t) => {
  const { calls, run } = repository(t)
  await run('start.mjs')
  t.same(calls(), ['npm ci --no-audit --no-fund', 'turbo run build'])
  await run('start.mjs')
  t.equal(calls().length, 2)
})

t.test('parameters go to the command and its exit code comes back', async (t) => {
  const { run } = repository(t)
  const { code, stdout } = await run('start.mjs', '--nodes', '5')
  t.same(JSON.parse(stdout), ['dev', '--nodes', '5'])
  t.equal(code, 5)
})

t.test('a signal reaches the command', async (t) => {
  const { base } = repository(t)
  const { code } = await run(base, ['start.mjs', 'wait'], (said, child) => {
    if (said === 'waiting\n') child.kill('SIGTERM')
  })
  t.equal(code, 42)
})

t.test('another lockfile is installed again', async (t) => {
  const { write, calls, run } = repository(t)
  await run('prepare.mjs')
  write('package-lock.json', '{ }')
  await run('prepare.mjs')
  t.equal(calls().filter((call) => call.startsWith('npm ci')).length, 2)
  await run('prepare.mjs')
  t.equal(calls().length, 2)
})

t.test('what npm installed when called by hand is noticed', async (t) => {
  const { write, calls, run } = repository(t)
  const packages = { '': {}, 'node_modules/a': { version: '1.0.0' } }
  const other = { 'node_modules/b-mac': { version: '1.0.0', optional: true } }
  write('package-lock.json', JSON.stringify({ packages: { ...packages, ...other } }))
  write('node_modules/.package-lock.json', JSON.stringify({ packages }))
  await run('prepare.mjs')
  t.same(calls(), [])

  packages['node_modules/a'].version = '1.0.1'
  write('package-lock.json', JSON.stringify({ packages }))
  await run('prepare.mjs')
  t.equal(calls().length, 1)
})

t.test('whatever the build reads makes it stale', async (t) => {
  const { base, write, calls, run } = repository(t)
  await run('start.mjs')
  const builds = () => calls().filter((call) => call.startsWith('turbo')).length
  const changes = [
    () => appendFileSync(join(base, 'packages/cli/src/main.ts'), 'g()'),
    () => utimesSync(join(base, 'packages/cli/src/main.ts'), 1, 1),
    () => write('packages/cli/src/new.ts', ''),
    () => rmSync(join(base, 'packages/cli/src/new.ts')),
    () => write('packages/cli/tsconfig.json', '{}'),
    () => rmSync(join(base, 'packages/cli/dist'), { recursive: true }),
  ]
  for (const [index, change] of changes.entries()) {
    change()
    await run('start.mjs')
    t.equal(builds(), index + 2, String(change))
    await run('start.mjs')
    t.equal(builds(), index + 2, 'once')
  }
})

t.test('a failed install or build stops there, is told, and is tried again', async (t) => {
  const { write, calls, run } = repository(t)
  write('offline', '')
  t.equal((await run('start.mjs')).code, 7)
  t.equal((await run('start.mjs')).code, 7)
  t.equal(calls().length, 2)

  const other = repository(t)
  other.write('broken', '')
  t.match(await other.run('start.mjs'), { code: 2, stdout: '' })
  t.equal((await other.run('start.mjs')).code, 2)
})

t.test('where much is stale one compiler goes first, and turbo has the last word', async (t) => {
  const { write, calls, run } = repository(t)
  const tasks = (count) => Array.from({ length: count }, () => ({ cache: { status: 'MISS' } }))
  write('plan.json', JSON.stringify({ tasks: tasks(2) }))
  await run('start.mjs')
  t.same(calls().slice(1), ['turbo run build'])

  write('plan.json', JSON.stringify({ tasks: tasks(3) }))
  write('packages/cli/src/new.ts', '')
  t.equal((await run('start.mjs')).code, 5)
  t.same(calls().slice(2), ['tsc -b packages/cli', 'turbo run build'])
})

t.test('two at once do not install twice', async (t) => {
  const { calls, run } = repository(t)
  await Promise.all([run('start.mjs'), run('start.mjs')])
  t.same(calls(), ['npm ci --no-audit --no-fund', 'turbo run build'])
})

t.test('a lock left behind by one that died holds nobody up', async (t) => {
  const { write, run } = repository(t)
  write('.turbo/preparing', '999999999')
  t.equal((await run('start.mjs')).code, 5)
})
