/** The pages are type-checked: the compiler of the other packages cannot read them. */
import { execFile } from 'node:child_process'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'

const folder = fileURLToPath(new URL('../..', import.meta.url))
const checker = createRequire(import.meta.url).resolve('svelte-check/bin/svelte-check')

t.test('every page passes the checker of Svelte', { timeout: 110_000 }, async (t) => {
  const parameters = ['--tsconfig', 'ui/tsconfig.json', '--output', 'human', '--fail-on-warnings']
  const run = promisify(execFile)(process.execPath, [checker, ...parameters], { cwd: folder })
  const { stdout } = await run.catch((error: { stdout: string }) => error)
  t.match(stdout, /found 0 errors and 0 warnings/, { output: stdout })
})
