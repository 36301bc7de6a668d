/**
 * What this house asks of its files and no ready-made tool checks. Each message says what to do
 * instead. Exceptions stand in `tidy.allow.json`, each with its reason.
 *
 *     node tools/tidy.mjs [PATH PREFIX ...]
 */
import { realpathSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { readJson, root, workspaces } from './lib/house.mjs'
import { readFiles } from './tidy/files.mjs'
import { findDead } from './tidy/reach.mjs'
import { findSpec } from './tidy/spec.mjs'
import { findSyntax } from './tidy/syntax.mjs'
import { findText } from './tidy/text.mjs'
import { findWorld } from './tidy/world.mjs'

/**
 * @typedef {import('./tidy/files.mjs').Fault} Fault
 * @typedef {{ rule: string, path: string, names?: string[], reason: string }} Allowance
 */

/** @returns {Fault[]} all that is found, allowed or not */
export function findFaults(files, packages) {
  return [
    ...files.flatMap((file) => [...findWorld(file), ...findSyntax(file), ...findText(file)]),
    ...findDead(files, packages),
    ...findSpec(files),
  ]
}

/**
 * @param {readonly Fault[]} faults
 * @param {readonly Allowance[]} allowances  a path that ends in `*` covers what begins like it
 * @returns {Fault[]} what no allowance covers, and the allowances for one file that cover nothing
 */
export function judge(faults, allowances) {
  const used = new Set()
  const left = faults.filter((fault) => {
    const covering = allowances.filter((allowance) => covers(allowance, fault))
    for (const allowance of covering) used.add(allowance)
    return covering.length === 0
  })
  for (const allowance of allowances) {
    const { rule, path, reason } = allowance
    const at = (message) => ({ rule: 'allowance', path: 'tools/tidy.allow.json', line: 0, message })
    if (!reason) left.push(at(`${rule} in ${path}: an exception needs a reason`))
    if (path.endsWith('*') || used.has(allowance)) continue
    left.push(at(`${rule} in ${path} is no longer needed`))
  }
  return left
}

function covers({ rule, path, names }, fault) {
  if (rule !== fault.rule) return false
  const inPlace = path.endsWith('*')
    ? fault.path.startsWith(path.slice(0, -1))
    : fault.path === path
  return inPlace && (names === undefined || names.includes(fault.name))
}

function main(prefixes) {
  const packages = [
    { folder: '.', manifest: readJson(join(root, 'package.json')) },
    ...workspaces(),
  ]
  const faults = judge(
    findFaults(readFiles(root), packages),
    readJson(join(root, 'tools', 'tidy.allow.json')),
  )
  const shown = faults.filter(
    ({ path }) => prefixes.length === 0 || prefixes.some((prefix) => path.startsWith(prefix)),
  )
  for (const { path, line, rule, message } of shown) {
    console.log(`${path}${line > 0 ? `:${line}` : ''} ${rule}: ${message}`)
  }
  if (shown.length > 0) process.exitCode = 1
}

if (import.meta.url === pathToFileURL(realpathSync(process.argv[1])).href) {
  main(process.argv.slice(2))
}
