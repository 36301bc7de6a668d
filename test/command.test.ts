import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'

const root = fileURLToPath(new URL('../..', import.meta.url))

t.test('after the build the command is found at the root and names its version', async (t) => {
  const shoal = `${root}/node_modules/.bin/shoal`
  const { stdout } = await promisify(execFile)(shoal, ['--version'], { cwd: root })
  t.match(stdout, /^\d+\.\d+\.\d+\n$/)
})
