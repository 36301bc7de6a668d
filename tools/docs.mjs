/**
 * `npm run docs`: writes the pages of `docs/` that come from tables in the code. Tests of the
 * kernel and of the node fail while a page and its table differ.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { bin, innerEnvironment, root, run } from './lib/house.mjs'
import { ensureInstalled } from './prepare.mjs'

const kernel = join(root, 'packages', 'kernel')
const node = join(root, 'packages', 'node')

async function writePages() {
  // Loaded only now: it was just built.
  const { errorPage, limitPage } = await import('../packages/kernel/dist/src/documents.js')
  const { configurationPage } = await import('../packages/node/dist/src/config/documents.js')
  const pages = {
    'configuration.md': configurationPage(),
    'errors.md': errorPage(),
    'limits.md': limitPage(readFileSync(join(kernel, 'src', 'limits.ts'), 'utf8')),
  }
  for (const [name, text] of Object.entries(pages)) {
    writeFileSync(join(root, 'docs', name), text)
    console.log(`docs/${name}`)
  }
}

await ensureInstalled()
process.exitCode = await run(bin('tsc'), ['-b', kernel, node], { env: innerEnvironment() })
if (process.exitCode === 0) await writePages()
