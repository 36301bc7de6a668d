/**
 * `npm run loadtest -- SCENARIO`: a load by k6 on a cluster of this build. Installs and builds what
 * is missing, k6 included: see `lib/outside.mjs`. Parameters after `--` go to it.
 */
import { launch, whereTyped } from './lib/launch.mjs'
import { install, locate } from './lib/outside.mjs'
import { PrepareFailed } from './prepare.mjs'

const given = process.argv.slice(2)
const needsNone = given.some((parameter) => /^--k6(=|$)|^(-h|--help)$/.test(parameter))

await launch(['loadtest', 'dist', 'src', 'main.js'], {
  cwd: whereTyped(),
  parameters: () => [...given, ...(needsNone ? [] : ['--k6', findK6()])],
})

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
