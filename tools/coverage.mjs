/**
 * `npm run coverage`: how much of the protocol the tests run, in lines and branches of the sources.
 *
 * Only packages that hold rules are held to a floor; what adapters do is a matter for their
 * contract suites and for whole processes. The floors stand in `coverage.json`; they go up, never
 * down.
 */
import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { bin, innerEnvironment, ourNode, readJson, root, run } from './lib/house.mjs'
import { ensureBuilt, ensureInstalled, PrepareFailed } from './prepare.mjs'

const wanted = process.argv.slice(2)
const floors = readJson(join(root, 'tools', 'coverage.json'))

/** Runs the tests of a package with V8's own counters on, and reports by the source maps. */
async function cover(name, { folder, lines, branches }) {
  const path = join(root, 'packages', name)
  const raw = join(path, '.tests', 'coverage')
  if (!existsSync(join(path, 'dist'))) throw new PrepareFailed(`${name} is not built`, 1)
  rmSync(raw, { recursive: true, force: true })
  mkdirSync(raw, { recursive: true })
  const env = innerEnvironment({ NODE_V8_COVERAGE: raw })
  const node = ourNode()
  const tested = await run(node, [join(root, 'tools', 'run-tests.mjs')], { cwd: path, env })
  if (tested !== 0) return tested

  console.log(`\n${name}: ${folder}, at least ${lines} % of lines and ${branches} % of branches`)
  const report = [
    'report',
    `--temp-directory=${raw}`,
    `--include=${folder}/**`,
    '--exclude-after-remap',
    '--all',
    `--src=${folder}`,
    '--reporter=text',
    '--check-coverage',
    `--lines=${lines}`,
    `--branches=${branches}`,
    '--functions=0',
    '--statements=0',
  ]
  return run(bin('c8'), report, { cwd: path, env: innerEnvironment() })
}

try {
  await ensureInstalled()
  await ensureBuilt('all')
  for (const [name, floor] of Object.entries(floors)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue
    if ((await cover(name, floor)) !== 0) process.exitCode = 1
  }
} catch (error) {
  if (!(error instanceof PrepareFailed)) throw error
  process.stderr.write(`${error.message}\n`)
  process.exitCode = error.code
}
