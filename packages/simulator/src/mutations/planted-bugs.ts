/**
 * `npm run planted-bugs`: breaks the built code on purpose, one rule at a time, and reports in how
 * many seeds the simulation noticed.
 *
 *     npm run planted-bugs -- [--names a,b] [--seeds 2000] [--sample 50] [--jobs 2]
 *                             [--write] [--on]
 *
 * Without names all bugs are planted, and the control: the code as it is, which must pass the same
 * seeds. `--write` keeps the results, and writes docs/planted-bugs.md. `--on` goes on where a kept
 * search ended without a find.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { allMutations } from './all-mutations.ts'
import type { Finding } from './finding.ts'
import { canPlant } from './plant.ts'
import { search, searchOn } from './search.ts'
import { formatPlantedBugs } from './table.ts'
import { runSeeds } from './worker-process.ts'

/** The code as it is. */
const CONTROL = 'control'

const root = new URL('../../../../../', import.meta.url)
const page = new URL('docs/planted-bugs.md', root)
const results = new URL('packages/simulator/planted-bugs.json', root)

const { values: flags } = parseArgs({
  options: {
    names: { type: 'string', default: '' },
    seeds: { type: 'string', default: '2000' },
    sample: { type: 'string', default: '50' },
    'sample-seconds': { type: 'string', default: '30' },
    seconds: { type: 'string', default: '120' },
    jobs: { type: 'string', default: '2' },
    write: { type: 'boolean', default: false },
    on: { type: 'boolean', default: false },
  },
})

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

function chooseNames(): string[] {
  const known = [CONTROL, ...allMutations.map(({ name }) => name)]
  const asked = flags.names === '' ? known : flags.names.split(',')
  for (const name of asked) if (!known.includes(name)) say(`no bug is called ${name}`)
  return asked.filter((name) => known.includes(name))
}

const git = (...parameters: string[]): string =>
  execFileSync('git', parameters, { cwd: root, encoding: 'utf8' }).trim()

async function main(): Promise<void> {
  if (!canPlant) {
    say('bugs are planted on Node 24: npm run planted-bugs')
    process.exitCode = 2
    return
  }
  const waiting = chooseNames()
  const kept = readKept()
  const findings = new Map<string, Finding>()
  const options = {
    seeds: Number(flags.seeds),
    sample: Number(flags.sample),
    sampleSeconds: Number(flags['sample-seconds']),
    seconds: Number(flags.seconds),
    date: git('log', '-1', '--format=%cs'),
    commit: git('rev-parse', '--short', 'HEAD'),
  }
  const work = async (): Promise<void> => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
      const seeds = name === CONTROL ? options.sample : options.seeds
      const before = flags.on ? kept.get(name) : undefined
      const finding = before
        ? await searchOn(before, { ...options, seeds }, runSeeds)
        : await search(name, { ...options, seeds }, runSeeds)
      findings.set(name, finding)
      report(finding)
      // Each at once: a search of hours may be cut short.
      if (flags.write) keep(kept, findings)
    }
  }
  await Promise.all(Array.from({ length: Math.max(1, Number(flags.jobs)) }, work))
  if ([...findings.values()].some(isBad)) process.exitCode = 1
}

/** A bug that nothing noticed, or a failure without a bug. */
const isBad = ({ name, first }: Finding): boolean => (name === CONTROL) === first > 0

function report(finding: Finding): void {
  const { name, found, sample, first, by } = finding
  const share = `${found} of ${sample}`.padStart(11)
  const rest = first > 0 ? `first ${first}: ${by}` : 'not noticed'
  say(`${isBad(finding) ? 'BAD' : 'ok '} ${share}  ${name}: ${rest}`)
}

function readKept(): Map<string, Finding> {
  const findings: Finding[] = JSON.parse(readFileSync(results, 'utf8'))
  return new Map(findings.map((finding) => [finding.name, finding]))
}

function keep(before: ReadonlyMap<string, Finding>, findings: ReadonlyMap<string, Finding>): void {
  const all = new Map([...before, ...findings])
  const kept = [CONTROL, ...allMutations.map(({ name }) => name)].flatMap(
    (name) => all.get(name) ?? [],
  )
  writeFileSync(results, `${JSON.stringify(kept, undefined, 2)}\n`)
  writeFileSync(page, formatPlantedBugs(allMutations, all))
}

await main()
