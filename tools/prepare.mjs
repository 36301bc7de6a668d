/**
 * Brings a clone to the state its lockfile and sources ask for, and is quick when it is there
 * already. It runs before anything is installed: node's own modules only.
 *
 *     node tools/prepare.mjs             install if needed
 *     node tools/prepare.mjs --build     install if needed, then build everything
 *
 * What was done is remembered in `node_modules/.shoal`: the hash of the installed lockfile, and for
 * each thing built a fingerprint of its sources. The fingerprint is made of paths, sizes and times
 * of change, not of contents, so that looking costs milliseconds; when it differs, turbo compares
 * contents.
 */
import { execFileSync } from 'node:child_process'
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
import { isDeepStrictEqual } from 'node:util'
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
const scopes = {
  all: { filters: [], project: '.' },
  command: { filters: ['--filter=shoal'], project: 'packages/cli' },
}

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
 * @param {{ always?: boolean, force?: boolean, out?: NodeJS.WritableStream }} [options] `always`
 *   asks turbo even if nothing seems to have changed; `force` makes it ignore its cache; `out` is
 *   where compiler errors go, by default stderr
 */
export async function ensureBuilt(scope, { always = false, force = false, out } = {}) {
  const print = fingerprint()
  if (!always && isBuilt(scope, print)) return
  await alone(async () => {
    if (!always && isBuilt(scope, print)) return
    if (!always) process.stderr.write('Building ...\n')
    const { filters, project } = scopes[scope]
    const command = ['run', 'build', ...filters, ...(force ? ['--force'] : [])]
    if (!force && countMissing(command) > COMPILERS_ALONE_MAX) await compileTogether(project)
    const code = await turbo(command, { out })
    if (code !== 0) throw new PrepareFailed('the build failed', code)
    noteBuilt(scope, print)
  })
}

const COMPILERS_ALONE_MAX = 2

/** How many packages turbo would have to build. */
function countMissing(command) {
  try {
    const options = { cwd: root, env: innerEnvironment(), stdio: ['ignore', 'pipe', 'ignore'] }
    const plan = execFileSync(bin('turbo'), [...command, '--dry=json'], options)
    return JSON.parse(plan).tasks.filter(({ cache }) => cache.status === 'MISS').length
  } catch {
    // Turbo will say itself what is wrong.
    return 0
  }
}

/**
 * One compiler for all packages reads the types of node and of our libraries once. Turbo, which
 * starts one for each, finds them done and only takes them into its cache: 14 s of processor time
 * in a fresh clone instead of 32 s. What is wrong is said by turbo's compilers.
 */
const compileTogether = (project) =>
  run(bin('tsc'), ['-b', project], { env: innerEnvironment() }, () => {})

/**
 * Runs turbo and shows what its tasks print, without what it says about itself. A task found in the
 * cache prints nothing. One that fails does not keep others from running, unless they depend on it.
 *
 * @param {readonly string[]} parameters
 * @param {{ environment?: Record<string, string>, out?: NodeJS.WritableStream }} [options]
 * @returns {Promise<number>} the exit code
 */
export function turbo(parameters, { environment = {}, out = process.stderr } = {}) {
  const manner = ['--continue=dependencies-successful', '--output-logs=new-only']
  const looks = ['--log-prefix=none', '--no-color']
  let gap = false
  const show = (line) => {
    if (chatterOfTurbo.test(line)) return
    if (line.trim() === '') {
      gap = true
      return
    }
    out.write(`${gap ? '\n' : ''}${line}\n`)
    gap = false
  }
  const env = innerEnvironment(environment)
  return run(bin('turbo'), [...parameters, ...manner, ...looks], { env }, show)
}

const chatterOfTurbo = new RegExp(
  [
    '^\\s+• ',
    '^cache (hit|miss)',
    '^\\s*(Tasks|Cached|Time|Failed): ',
    '^\\s*ERROR\\s+run failed',
    'WARNING\\s+command finished',
  ].join('|'),
)

export class PrepareFailed extends Error {
  name = 'PrepareFailed'
  constructor(message, code) {
    super(message)
    this.code = code
  }
}

function isInstalled() {
  try {
    if (readJson(installStamp).lockfile === lockfileHash()) return true
  } catch {
    // No stamp: npm may have been called by hand.
  }
  if (!matchesWhatNpmNoted()) return false
  noteInstalled()
  return true
}

/** npm writes down what it has installed, in the form of the lockfile. */
function matchesWhatNpmNoted() {
  try {
    const installed = readJson(join(root, 'node_modules', '.package-lock.json')).packages
    const wanted = readJson(lockfile).packages
    return Object.entries(wanted).every(
      ([path, entry]) =>
        path === '' ||
        (path in installed ? isDeepStrictEqual(installed[path], entry) : entry.optional === true),
    )
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
  for (const folder of ['packages', 'test', 'loadtest']) {
    for (const path of filesBelow(folder, isBuildInput)) note(path)
  }
  return hash.digest('hex')
}

const isBuildInput = (path) => /\.(ts|mts|cts|json|svelte|css|html|svg)$/.test(path)

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
