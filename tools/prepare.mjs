/**
 * Brings a clone to the state its lockfile and sources ask for, and is quick when it is there already.
 * It runs before anything is installed: node's own modules only.
 *
 *     node tools/prepare.mjs               install if needed
 *     node tools/prepare.mjs --build       install if needed, then build everything
 *     node tools/prepare.mjs --installed   note that the lockfile is installed (npm runs this itself)
 *
 * What was done is remembered in `node_modules/.shoal`: the hash of the installed lockfile, and for each
 * thing built a fingerprint of its sources. The fingerprint is made of paths, sizes and times of change,
 * not of contents, so that looking costs milliseconds; when it differs, turbo compares contents.
 */
import { createHash } from 'node:crypto'
import {
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  bin,
  filesBelow,
  innerEnvironment,
  outerEnvironment,
  readJson,
  root,
  run,
  workspaces,
} from './lib/house.mjs'

const stampFolder = join(root, 'node_modules', '.shoal')
const installStamp = join(stampFolder, 'installed.json')
const lockfile = join(root, 'package-lock.json')

/** What can be built: everything, or only what the command line needs. */
const scopes = { all: [], command: ['--filter=shoal'] }

/** Runs `npm ci` unless this lockfile is what is installed. */
export async function ensureInstalled() {
  if (isInstalled()) return
  await alone(async () => {
    if (isInstalled()) return
    process.stderr.write('Installing dependencies (npm ci) ...\n')
    const code = await run('npm', ['ci', '--no-audit', '--no-fund'], {
      env: outerEnvironment(),
      // What npm says about its work must not get into the output of the script that needed it.
      stdio: ['ignore', 2, 2],
    })
    if (code !== 0) throw new PrepareFailed('npm ci failed', code)
    noteInstalled()
  })
}

/**
 * Builds what is stale.
 *
 * @param {keyof typeof scopes} scope
 * @param {{ always?: boolean, force?: boolean }} [options]  `always` asks turbo even if nothing seems to
 *   have changed; `force` makes it ignore its cache
 */
export async function ensureBuilt(scope, { always = false, force = false } = {}) {
  const print = fingerprint()
  if (!always && isBuilt(scope, print)) return
  await alone(async () => {
    if (!always && isBuilt(scope, print)) return
    if (!always) process.stderr.write('Building ...\n')
    const code = await turbo(['run', 'build', ...scopes[scope], ...(force ? ['--force'] : [])])
    if (code !== 0) throw new PrepareFailed('the build failed', code)
    noteBuilt(scope, print)
  })
}

/** Runs turbo quietly: only what fails is shown. Resolves to its exit code. */
export function turbo(parameters, options = {}) {
  const quiet = ['--output-logs=errors-only', '--log-prefix=none', '--no-update-notifier']
  return run(bin('turbo'), [...parameters, ...quiet], {
    env: innerEnvironment(options.env),
    stdio: ['ignore', 2, 2],
  })
}

export class PrepareFailed extends Error {
  name = 'PrepareFailed'
  constructor(message, code) {
    super(message)
    this.code = code
  }
}

function isInstalled() {
  try {
    return readJson(installStamp).lockfile === lockfileHash()
  } catch {
    return false
  }
}

function noteInstalled() {
  mkdirSync(stampFolder, { recursive: true })
  writeFileSync(installStamp, `${JSON.stringify({ lockfile: lockfileHash() })}\n`)
}

const lockfileHash = () => createHash('sha256').update(readFileSync(lockfile)).digest('hex')

const buildStamp = (scope) => join(stampFolder, `built-${scope}.json`)

function isBuilt(scope, print) {
  const covering = scope === 'all' ? ['all'] : [scope, 'all']
  return covering.some((each) => {
    try {
      const stamp = readJson(buildStamp(each))
      return (
        stamp.fingerprint === print && stamp.outputs.every((path) => existsSync(join(root, path)))
      )
    } catch {
      return false
    }
  })
}

function noteBuilt(scope, print) {
  const outputs = workspaces()
    .map(({ folder }) => `${folder}/dist/.tsbuildinfo`)
    .filter((path) => existsSync(join(root, path)))
  mkdirSync(stampFolder, { recursive: true })
  writeFileSync(buildStamp(scope), `${JSON.stringify({ fingerprint: print, outputs })}\n`)
}

/** Changes whenever a file that the build reads is added, removed or written. */
function fingerprint() {
  const hash = createHash('sha256')
  const note = (path) => {
    const { size, mtimeMs } = statSync(join(root, path))
    hash.update(`${path} ${size} ${mtimeMs}\n`)
  }
  for (const path of ['package-lock.json', 'tsconfig.base.json', 'turbo.json']) note(path)
  for (const folder of ['packages', 'test']) {
    for (const path of filesBelow(folder, isBuildInput)) note(path)
  }
  return hash.digest('hex')
}

const isBuildInput = (path) => /\.(ts|mts|cts|json)$/.test(path)

/** Keeps two runs in one clone from installing or building over each other. */
async function alone(work) {
  const lock = join(root, '.turbo', 'preparing')
  mkdirSync(join(root, '.turbo'), { recursive: true })
  while (!takeLock(lock)) await pause(200)
  try {
    await work()
  } finally {
    rmSync(lock, { force: true })
  }
}

function takeLock(lock) {
  const mine = `${lock}.${process.pid}`
  writeFileSync(mine, String(process.pid))
  try {
    // A link appears with its contents, so nobody ever reads a lock without a holder.
    linkSync(mine, lock)
    return true
  } catch {
    if (!isAlive(holderOf(lock))) rmSync(lock, { force: true })
    return false
  } finally {
    rmSync(mine, { force: true })
  }
}

function holderOf(lock) {
  try {
    return Number(readFileSync(lock, 'utf8'))
  } catch {
    return Number.NaN
  }
}

function isAlive(pid) {
  if (!(pid > 0)) return false
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

async function main(parameters) {
  if (parameters.includes('--installed')) return noteInstalled()
  await ensureInstalled()
  if (parameters.includes('--build')) await ensureBuilt('all', { always: true })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    await main(process.argv.slice(2))
  } catch (error) {
    if (!(error instanceof PrepareFailed)) throw error
    process.stderr.write(`${error.message}\n`)
    process.exitCode = error.code
  }
}
