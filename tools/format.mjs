/**
 * `npm run format`: biome on everything, and comments within the columns.
 *
 *     node tools/format.mjs [PATH ...]
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { bin, filesBelow, innerEnvironment, root, run } from './lib/house.mjs'
import { ensureInstalled } from './prepare.mjs'

const paths = process.argv.slice(2).map((path) => path.replace(/\/$/, ''))
await ensureInstalled()
// Loaded only now: it stands on what was just installed.
const { reflow } = await import('./tidy/reflow.mjs')

const isCode = (path) => /\.(ts|mts|cts|mjs|cjs)$/.test(path)
const isWanted = (path) =>
  isCode(path) &&
  (paths.length === 0 || paths.some((each) => path === each || path.startsWith(`${each}/`)))

for (const path of filesBelow('', isWanted)) {
  const file = join(root, path)
  const before = readFileSync(file, 'utf8')
  const after = reflow(path, before)
  if (after !== before) writeFileSync(file, after)
}
process.exitCode = await run(bin('biome'), ['check', '--write', ...paths], {
  env: innerEnvironment(),
})
