import { type Calm, measureCalm, measureCrashes, measureSpread, timesOf } from './trials.ts'

/**
 * What the detector reaches, on virtual time, against its bars:
 *
 *     node dist/bench/detector.js spread  [--nodes N] [--rounds R] [--loss 0.01] [--seed S]
 *     node dist/bench/detector.js crash   [--nodes N] [--rounds R] [--told]
 *     node dist/bench/detector.js calm    [--nodes N] [--hours H] [--stall 2000] [--every 60000]
 *
 * `told`: channels fall with the process, as when it is killed; without it, it falls silent. Ends
 * with 1 where a bar is missed.
 */
const [command = 'crash', ...parameters] = process.argv.slice(2)

function number(name: string, otherwise: number): number {
  const at = parameters.indexOf(`--${name}`)
  return at < 0 ? otherwise : Number(parameters[at + 1])
}

const nodes = number('nodes', 100)
const seed = number('seed', 1)
const loss = number('loss', 0.01)
const rounds = number('rounds', 20)
const options = { nodes, seed, loss }

interface Bar {
  readonly of: 'median' | 'p99'
  readonly seconds: number
}

const print = (line: string): void => void process.stdout.write(`${line}\n`)
const label = `${nodes}`.padStart(5)

function show(name: string, values: readonly number[], bar?: Bar): void {
  const times = timesOf(values)
  const { median, p99, max } = times
  const figures = Object.entries({ median, p99, max })
    .map(([word, value]) => `${word} ${(value / 1_000).toFixed(2).padStart(6)} s`)
    .join('  ')
  const missed = bar !== undefined && times[bar.of] > bar.seconds * 1_000
  if (missed) process.exitCode = 1
  const verdict = bar ? `  bar ${bar.of} ${bar.seconds} s: ${missed ? 'MISSED' : 'met'}` : ''
  print(`${label} nodes  ${name.padEnd(20)} ${figures}  of ${times.count}${verdict}`)
}

/** Declared by all, typically: 8 s up to 10 nodes, 12 s up to 100, 16 s up to 1,000. */
const declaredBar = (): Bar => ({
  of: 'median',
  seconds: Math.ceil(4 + 4 * Math.max(1, Math.log10(nodes))),
})

function showCrashes(): void {
  const times = measureCrashes(options, rounds, parameters.includes('--told'))
  const suspected = times.map((each) => each.suspected)
  const declared = times.map((each) => each.declared)
  const avoided = times.map((each) => each.avoided)
  const back = times.map((each) => each.back)
  show('first suspicion', suspected, { of: 'p99', seconds: 6 })
  show('avoided by all', avoided)
  show('declared by all', declared, declaredBar())
  show('alive again for all', back)
}

function showCalm(calm: Calm): void {
  const { hours, stalls, falseDeaths, suspicions, refutations, stillWrong } = calm
  const missed = falseDeaths > 0 || stillWrong > 0
  if (missed) process.exitCode = 1
  print(
    `${label} nodes  ${hours} h  ${stalls} standstills  ${suspicions} suspicions  ` +
      `${refutations} contradicted  ${falseDeaths} false deaths  ${stillWrong} wrong at the end  ` +
      `${calm.messagesPerNodeSecond.toFixed(1)} messages/node/s  bar none: ` +
      (missed ? 'MISSED' : 'met'),
  )
}

const begun = performance.now()
if (command === 'spread') {
  show('all informed', measureSpread(options, rounds), { of: 'p99', seconds: 2 })
} else if (command === 'crash') {
  showCrashes()
} else {
  const [hours, stall] = [number('hours', 1), number('stall', 2_000)]
  showCalm(measureCalm({ ...options, hours, stall, stallEvery: number('every', 60_000) }))
}
print(`       ${((performance.now() - begun) / 1_000).toFixed(1)} s, seed ${seed}, loss ${loss}`)
