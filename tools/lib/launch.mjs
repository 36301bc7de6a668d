/** How `npm run` begins a program of this repository. Node's own modules only. */
import { join } from 'node:path'
import { ensureBuilt, ensureInstalled, PrepareFailed } from '../prepare.mjs'
import { innerEnvironment, ourNode, root, run } from './house.mjs'

/**
 * Installs and builds what is missing, then is the program: signals go to it, and its exit code
 * comes back.
 *
 * @param {readonly string[]} file  parts of its path below the root
 * @param {object} [options]
 * @param {'all' | 'command'} [options.scope]       what has to be built
 * @param {string} [options.cwd]                    by default the root
 * @param {() => readonly string[]} [options.parameters]  asked once all is built; by default ours
 */
export async function launch(file, options = {}) {
  const { scope = 'all', cwd = root, parameters = () => process.argv.slice(2) } = options
  try {
    await ensureInstalled()
    await ensureBuilt(scope)
    const command = [join(root, ...file), ...parameters()]
    process.exitCode = await run(ourNode(), command, { cwd, env: innerEnvironment() })
  } catch (error) {
    if (!(error instanceof PrepareFailed)) throw error
    process.stderr.write(`${error.message}\n`)
    process.exitCode = error.code
  }
}

/** Where whoever typed `npm run` stands: paths they give start there. */
export const whereTyped = () => process.env.INIT_CWD ?? process.cwd()
