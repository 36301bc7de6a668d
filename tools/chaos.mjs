/**
 * `npm run chaos`: real processes, and everything that can happen to them. Installs and builds what
 * is missing; parameters after `--` go to it.
 */
import { join } from 'node:path'
import { innerEnvironment, ourNode, root, run } from './lib/house.mjs'
import { ensureBuilt, ensureInstalled, PrepareFailed } from './prepare.mjs'

const command = join(root, 'test', 'dist', 'chaos', 'main.js')

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
