/**
 * `npm run bench`: the goals table on this machine; `npm run bench -- overload`: what is left of it
 * when more is asked for than can be done. Installs and builds what is missing; other parameters
 * after `--` go to it.
 */
import { join } from 'node:path'
import { innerEnvironment, ourNode, root, run } from './lib/house.mjs'
import { ensureBuilt, ensureInstalled, PrepareFailed } from './prepare.mjs'

const given = process.argv.slice(2)
const isOverload = given[0] === 'overload'
const file = isOverload ? 'overload.js' : 'main.js'
const command = join(root, 'packages', 'bench', 'dist', 'src', file)

try {
  await ensureInstalled()
  await ensureBuilt('all')
  process.exitCode = await run(ourNode(), [command, ...given.slice(isOverload ? 1 : 0)], {
    cwd: root,
    env: innerEnvironment(),
  })
} catch (error) {
  if (!(error instanceof PrepareFailed)) throw error
  process.stderr.write(`${error.message}\n`)
  process.exitCode = error.code
}
