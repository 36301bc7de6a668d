import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { SEAMS } from '../src/plan/injections.ts'

const packages = fileURLToPath(new URL('../../../', import.meta.url))

function* sourcesOf(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isFile() && entry.name.endsWith('.ts')) yield join(entry.parentPath, entry.name)
  }
}

t.test('SI1 plans know every seam of the code, and none that is not there', (t) => {
  const found = new Set<string>()
  // What an engine is made of runs in simulations, too.
  const names = ['simulator', 'node'].flatMap((name) => {
    const manifest = readFileSync(join(packages, name, 'package.json'), 'utf8')
    return Object.keys((JSON.parse(manifest) as { dependencies: object }).dependencies)
  })
  for (const name of new Set(names.filter((name) => name.startsWith('@shoal/')))) {
    for (const path of sourcesOf(join(packages, name.replace('@shoal/', ''), 'src'))) {
      const seams = readFileSync(path, 'utf8').matchAll(/\.inject\('([^']+)'\)/g)
      for (const [, label] of seams) found.add(label as string)
    }
  }
  t.ok(found.size >= 20)
  t.same(SEAMS.map(({ label }) => label).sort(), [...found].sort())
  t.end()
})
