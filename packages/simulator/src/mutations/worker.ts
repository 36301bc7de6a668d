/**
 * One bug, some seeds: `worker.js NAME FROM TO SECONDS first|all`. Says a line of JSON for each
 * seed. The simulator is loaded after the bug is planted; nothing here may import it before.
 */
import { allMutations } from './all-mutations.ts'
import type { SeedVerdict } from './finding.ts'
import { plant } from './plant.ts'

const [name, from, to, seconds, until] = process.argv.slice(2)

function say(verdict: SeedVerdict): void {
  process.stdout.write(`${JSON.stringify(verdict)}\n`)
}

const mutation = allMutations.find((each) => each.name === name)
const wasLoaded = mutation ? plant(mutation) : () => true
const { runSeed } = await import('./run-seed.ts')

for (let seed = Number(from); seed <= Number(to); seed++) {
  const by = await runSeed(seed, Number(seconds), mutation?.needs)
  say(by === undefined ? { seed } : { seed, by })
  if (by !== undefined && until === 'first') break
}

if (!wasLoaded()) {
  process.stderr.write(`${mutation?.file} was never loaded\n`)
  process.exitCode = 2
}
