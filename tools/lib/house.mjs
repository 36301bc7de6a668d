/**
 * What every script here needs and node itself offers. This file and `prepare.mjs` run before
 * anything is installed: node's own modules only, and nothing newer than Node 20.19.
 */
import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')

const binFolder = join(root, 'node_modules', '.bin')

/** The path of a command that some package installed. */
export const bin = (name) => join(binFolder, name)

/**
 * The node that our programs run on: the one that came as a package, where the platform has one,
 * else the one running now. npm puts the same one first in the PATH of its scripts, but not on the
 * first run in a fresh clone, and npm 10 never.
 */
export function ourNode() {
  const name = `node-${process.platform}-${process.arch}`
  const packaged = join(root, 'node_modules', name, 'bin', 'node')
  return existsSync(packaged) ? packaged : process.execPath
}

/** The environment without what npm added to the PATH, for calling npm itself. */
export function outerEnvironment() {
  const path = (process.env.PATH ?? '')
    .split(':')
    .filter((folder) => !folder.endsWith('/node_modules/.bin') && !folder.includes('node-gyp-bin'))
  return { ...process.env, PATH: path.join(':') }
}

/** The environment of our programs: the installed commands, and so our node, come first. */
export function innerEnvironment(extra = {}) {
  const { PATH } = outerEnvironment()
  return { ...process.env, ...quiet, ...extra, PATH: `${binFolder}:${dirname(ourNode())}:${PATH}` }
}

const quiet = {
  npm_config_loglevel: 'silent',
  TURBO_TELEMETRY_DISABLED: '1',
  TURBO_NO_UPDATE_NOTIFIER: '1',
  DO_NOT_TRACK: '1',
}

const signalsPassedOn = ['SIGINT', 'SIGTERM', 'SIGHUP']

let interruption

/** The signal that came while `run` passed signals on, if one did: time to stop. */
export const interrupted = () => interruption

/**
 * Runs a command to its end, passing signals on, and resolves to its exit code. A command ended by
 * a signal counts as 128 + its number, as in a shell.
 *
 * @param {string} command
 * @param {readonly string[]} parameters
 * @param {import('node:child_process').SpawnOptions} [options]
 * @param {(line: string) => void} [onLine]  takes what the command prints, instead of the terminal
 * @returns {Promise<number>}
 */
export function run(command, parameters, options = {}, onLine = undefined) {
  return new Promise((resolve, reject) => {
    const stdio = onLine ? ['ignore', 'pipe', 'pipe'] : 'inherit'
    const child = spawn(command, parameters, { stdio, cwd: root, ...options })
    for (const stream of [child.stdout, child.stderr]) {
      if (stream && onLine) createInterface({ input: stream }).on('line', onLine)
    }
    // A terminal sends Ctrl-C to the child as well; once is enough.
    const reachesChild = (signal) => signal === 'SIGINT' && process.stdin.isTTY
    const passOn = (signal) => {
      interruption = signal
      if (!reachesChild(signal)) child.kill(signal)
    }
    for (const signal of signalsPassedOn) process.on(signal, passOn)
    const done = (settle) => {
      for (const signal of signalsPassedOn) process.off(signal, passOn)
      settle()
    }
    child.once('error', (error) => done(() => reject(error)))
    child.once('close', (code, signal) => done(() => resolve(code ?? 128 + signalNumber(signal))))
  })
}

/** The number of a signal, for exit codes. */
const signalNumber = (signal) => ({ SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 })[signal] ?? 0

export const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'))

/**
 * @param {string} [base]  root of the repository to look at
 * @returns {{ name: string, folder: string, path: string, manifest: Record<string, any> }[]}
 */
export function workspaces(base = root) {
  const found = []
  for (const pattern of readJson(join(base, 'package.json')).workspaces) {
    const folders = pattern.endsWith('/*')
      ? readdirSync(join(base, pattern.slice(0, -2))).map((name) => pattern.slice(0, -1) + name)
      : [pattern]
    for (const folder of folders.sort()) {
      const path = join(base, folder)
      if (!existsSync(join(path, 'package.json'))) continue
      const manifest = readJson(join(path, 'package.json'))
      found.push({ name: manifest.name, folder, path, manifest })
    }
  }
  return found
}

const foldersOfNoInterest = new Set(['node_modules', 'dist'])

/** Every file below a folder, relative to the base, without installed, built and hidden ones. */
export function* filesBelow(folder, keep = () => true, base = root) {
  let entries
  try {
    entries = readdirSync(join(base, folder), { withFileTypes: true })
  } catch {
    return
  }
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`
    if (entry.name.startsWith('.') || foldersOfNoInterest.has(entry.name)) continue
    if (entry.isDirectory()) yield* filesBelow(path, keep, base)
    else if (keep(path)) yield path
  }
}
