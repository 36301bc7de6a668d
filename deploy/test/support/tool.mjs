/** Programs of others that check our files. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { environmentOf, leftOutWithout, locate } from '../../../tools/lib/outside.mjs'

/** The folder whose files are checked. */
export const folder = fileURLToPath(new URL('../..', import.meta.url))

export const textOf = (path) => readFileSync(join(folder, path), 'utf8')

/** For `t.test`: left out where one of these is not here, but never in CI. */
export const needs = (...names) => ({ skip: leftOutWithout(...names) })

/**
 * Runs a program to its end.
 *
 * @returns {Promise<{ code: number, stdout: string, stderr: string }>}
 */
export function run(name, parameters, options = {}) {
  const place = locate(name)
  if (place === undefined) throw new Error(`${name} is missing: npm run get-tools`)
  return new Promise((resolve) => {
    const env = { ...environmentOf(name), NO_COLOR: '1', ...options.env }
    execFile(place, parameters, { cwd: folder, ...options, env }, (error, stdout, stderr) => {
      resolve({ code: error ? (error.code ?? 1) : 0, stdout, stderr })
    })
  })
}

/** It must say that all is well. */
export async function passes(t, name, parameters, options) {
  const { code, stdout, stderr } = await run(name, parameters, options)
  t.equal(code, 0, `${name} ${parameters[0]}: ${code === 0 ? 'no fault' : stdout + stderr}`)
  return stdout
}

/** It must find a fault, and name this. */
export async function refuses(t, name, parameters, named, options) {
  const { code, stdout, stderr } = await run(name, parameters, options)
  t.not(code, 0, `${name} finds the fault`)
  t.match(stdout + stderr, named)
}

/** A server that runs until the test ends. @returns {() => string} what it has printed */
export function serve(t, name, parameters) {
  const child = spawn(locate(name), parameters, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: environmentOf(name),
  })
  let log = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text) => {
      log += text
    })
  }
  const ended = once(child, 'exit')
  t.teardown(async () => {
    child.kill('SIGTERM')
    await ended
  })
  return () => log
}

/** Every file below a folder of `deploy`, by its path in there. */
export const filesBelow = (path) =>
  readdirSync(join(folder, path), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length))
