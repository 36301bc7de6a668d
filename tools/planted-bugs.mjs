/**
 * `npm run planted-bugs`: breaks the built code on purpose, one rule at a time, and simulates.
 * Installs and builds what is missing; parameters after `--` go to it.
 */
import { join } from 'node:path'
import { innerEnvironment, ourNode, root, run } from './lib/house.mjs'
import { ensureBuilt, ensureInstalled, PrepareFailed } from './prepare.mjs'

const command = join(root, 'packages', 'simulator', 'dist', 'src', 'mutations', 'planted-bugs.js')

try {
  await ensureInstalled()
  await ensureBuilt('all')
  process.exitCode = await run(ourNode(), [command, ...process.argv.slice(2)], {
    cwd: root,
    env: innerEnvironment(),
  })
} catch (error) {
  if (!(error instanceof PrepareFailed)) throw error
  process.stderr.write(`${error.message}\n`)
  process.exitCode = error.code
}
