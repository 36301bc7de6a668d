/**
 * `npm test`: everything that can be checked in this repository, cheap things first. Its last line
 * is `N passed, N failed`, summed over all packages; a step that fails is one more failure.
 *
 *     npm test                  what has changed since it last passed
 *     npm test -- ring wire     the tests of these packages only, and no static checks
 *     npm run test:fresh        everything again
 *     npm run check             the static checks and the build, no tests
 *
 * A failed step does not hide what later steps would have found; a package that does not build is
 * not tested, and its dependents neither.
 */
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { interrupted, ourNode, readJson, workspaces } from './lib/house.mjs'
import { located } from './lib/outside.mjs'
import { ensureBuilt, ensureInstalled, PrepareFailed, turbo } from './prepare.mjs'

const parameters = process.argv.slice(2)
const fresh = parameters.includes('--fresh')
const staticOnly = parameters.includes('--static')
const wanted = parameters.filter((parameter) => !parameter.startsWith('--'))
const out = process.stdout
const force = fresh ? ['--force'] : []

let failedSteps = 0

/** Runs one step and says how it went. A step fails by a code other than 0, or by throwing. */
async function step(name, work) {
  const started = performance.now()
  const code = await codeOf(work)
  const seconds = ((performance.now() - started) / 1_000).toFixed(1)
  console.log(`${code === 0 ? 'ok  ' : 'FAIL'} ${name} (${seconds} s)`)
  if (code !== 0) failedSteps++
  return code === 0
}

async function codeOf(work) {
  try {
    return (await work()) ?? 0
  } catch (error) {
    console.error(error instanceof PrepareFailed ? error.message : error)
    return 1
  } finally {
    stopIfInterrupted()
  }
}

function stopIfInterrupted() {
  if (!interrupted()) return
  console.log(`stopped by ${interrupted()}`)
  process.exit(1)
}

/** A check of the whole repository that turbo remembers until a file changes. */
const check = (name) => turbo(['run', `check:${name}`, ...force], { out })

/**
 * The tests of each package, then those of whole processes, which want the machine for themselves.
 * One package at a time: each runs as many files at once as there are cores.
 */
async function tests(packages) {
  const inner = packages.filter(({ name }) => name !== acceptance)
  const outer = packages.filter(({ name }) => name === acceptance)
  for (const { path } of packages) rmSync(resultsOf(path), { force: true })
  for (const group of [inner, outer]) if (group.length > 0) await testGroup(group)
}

const acceptance = '@shoal/acceptance'

async function testGroup(group) {
  const filters = group.map(({ name }) => `--filter=${name}`)
  const command = ['run', 'test', ...filters, ...force]
  await codeOf(() =>
    turbo([...command, '--concurrency=1'], { environment: testEnvironment(), out }),
  )
}

/**
 * The tests' results are those of one node version, and of the programs that were there; turbo
 * keeps them apart by these variables.
 */
const testEnvironment = () => ({
  SHOAL_TEST_NODE: process.env.SHOAL_TEST_NODE ?? ourNode(),
  SHOAL_TEST_TOOLS: located().join(' '),
})

const resultsOf = (path) => join(path, '.tests', 'results.json')

/** What each package has to say, a line for each; the sum. */
function sumUp(packages, started) {
  const sum = { passed: 0, failed: 0, skipped: 0, assertions: 0, files: 0 }
  const leftOut = new Map()
  for (const { folder, path } of packages) {
    const results = existsSync(resultsOf(path)) ? readJson(resultsOf(path)) : undefined
    if (!results || results.files.length === 0) {
      sum.failed++
      console.log(`FAIL ${folder}: ${results ? 'has no tests' : 'its tests did not run'}`)
      continue
    }
    for (const figure of ['passed', 'failed', 'skipped', 'assertions']) {
      sum[figure] += results[figure]
    }
    for (const { name, reason } of results.leftOut ?? []) {
      leftOut.set(reason, [...(leftOut.get(reason) ?? []), `${folder}: ${name}`])
    }
    sum.files += results.files.length
    const cached = results.finished < started ? ', cached' : ''
    const verdict = results.failed > 0 ? 'FAIL' : 'ok  '
    console.log(`${verdict} ${folder}: ${results.passed} passed, ${results.failed} failed${cached}`)
  }
  for (const [reason, names] of leftOut) {
    console.log(`left out, ${reason}:\n${names.map((name) => `  ${name}`).join('\n')}`)
  }
  console.log(`${sum.assertions} assertions in ${sum.files} files, ${sum.skipped} skipped`)
  return sum
}

async function main() {
  const started = Date.now()
  const prepared = await codeOf(ensureInstalled)
  if (prepared !== 0) return { passed: 0, failed: 1 }

  const selected = selectPackages()
  if (selected.length === 0) return { passed: 0, failed: 1 }
  if (wanted.length === 0) {
    await step('format and lint', () => check('format'))
    await step('tidy', () => check('tidy'))
  }
  await step('types and build', () => ensureBuilt('all', { always: true, force: fresh, out }))
  if (wanted.length === 0) await step('arrows', () => check('arrows'))
  if (staticOnly) return { passed: 0, failed: 0 }

  await tests(selected)
  return sumUp(selected, started)
}

function selectPackages() {
  const tested = workspaces().filter(({ manifest }) => manifest.scripts?.test)
  if (wanted.length === 0) return tested
  const selected = tested.filter(({ name, folder }) =>
    wanted.some((part) => [name, folder, folder.split('/').at(-1)].includes(part)),
  )
  if (selected.length === 0) {
    const names = tested.map(({ folder }) => folder.split('/').at(-1))
    console.error(`No such package. There are ${names.join(', ')}.`)
  }
  return selected
}

const { passed, failed } = await main()
if (failed + failedSteps > 0) process.exitCode = 1
if (staticOnly) console.log(failedSteps === 0 ? 'checks passed' : `${failedSteps} checks failed`)
else console.log(`${passed} passed, ${failed + failedSteps} failed`)
