/**
 * `npm run loadtest -- SCENARIO`: a load by k6 on a cluster of this build. Installs and builds what
 * is missing, k6 included: see `lib/outside.mjs`. Parameters after `--` go to it.
 */
import { join } from 'node:path'
import { innerEnvironment, ourNode, root, run } from './lib/house.mjs'
import { install, locate } from './lib/outside.mjs'
import { ensureBuilt, ensureInstalled, PrepareFailed } from './prepare.mjs'

const command = join(root, 'loadtest', 'dist', 'src', 'main.js')
const parameters = process.argv.slice(2)

try {
  await ensureInstalled()
  await ensureBuilt('all')
  const given = parameters.some((parameter) => /^--k6(=|$)|^(-h|--help)$/.test(parameter))
  const k6 = given ? [] : ['--k6', findK6()]
  process.exitCode = await run(ourNode(), [command, ...parameters, ...k6], {
    cwd: process.env.INIT_CWD ?? process.cwd(),
    env: innerEnvironment(),
  })
} catch (error) {
  if (!(error instanceof PrepareFailed)) throw error
  process.stderr.write(`${error.message}\n`)
  process.exitCode = error.code
}

/** The pinned one, got now if need be. */
function findK6() {
  const found = locate('k6')
  if (found !== undefined) return found
  process.stderr.write('Building k6 (go install), which takes minutes the first time ...\n')
  try {
    install('k6')
  } catch (error) {
    const why = String(error.stderr ?? error.message).trim()
    throw new PrepareFailed(
      `k6 could not be built: ${why}\n` +
        'It takes Go and its module proxy. A k6 of your own: npm run loadtest -- --k6 PATH ...',
      1,
    )
  }
  return locate('k6')
}
