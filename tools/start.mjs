/**
 * `npm start`: a cluster of this clone, from nothing. Installs and builds what is missing, then is
 * `shoal dev`; parameters after `--` go to it, and so do signals, and its exit code comes back.
 */
import { join } from 'node:path'
import { innerEnvironment, ourNode, root, run } from './lib/house.mjs'
import { ensureBuilt, ensureInstalled, PrepareFailed } from './prepare.mjs'

const command = join(root, 'packages', 'cli', 'bin', 'shoal.js')

try {
  await ensureInstalled()
  await ensureBuilt('command')
  process.exitCode = await run(ourNode(), [command, 'dev', ...process.argv.slice(2)], {
    cwd: process.env.INIT_CWD ?? process.cwd(),
    env: innerEnvironment(),
  })
} catch (error) {
  if (!(error instanceof PrepareFailed)) throw error
  process.stderr.write(`${error.message}\n`)
  process.exitCode = error.code
}
