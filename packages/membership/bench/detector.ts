import { measureCalm, measureCrashes, measureSpread, timesOf } from './trials.ts'

/**
 * What the detector reaches, on virtual time:
 *
 *     node dist/bench/detector.js spread  [--nodes N] [--rounds R] [--loss 0.01] [--seed S]
 *     node dist/bench/detector.js crash   [--nodes N] [--rounds R] [--told]
 *     node dist/bench/detector.js calm    [--nodes N] [--hours H] [--stall 2000] [--every 60000]
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
const begun = performance.now()

const show = (name: string, values: readonly number[]): void => {
  const { median, p99, max, count } = timesOf(values)
  const words = [median, p99, max].map((value) => `${(value / 1_000).toFixed(2)} s`)
  process.stdout.write(
    `${String(nodes).padStart(5)} nodes  ${name.padEnd(22)} median ${words[0]}  p99 ${words[1]}` +
      `  max ${words[2]}  of ${count}\n`,
  )
}

if (command === 'spread') {
  show('all informed', measureSpread(options, rounds))
} else if (command === 'crash') {
  const told = parameters.includes('--told')
  const times = measureCrashes(options, rounds, told)
  show(
    'first suspicion',
    times.map(({ suspected }) => suspected),
  )
  show(
    'avoided by all',
    times.map(({ avoided }) => avoided),
  )
  show(
    'declared by all',
    times.map(({ declared }) => declared),
  )
  show(
    'alive again for all',
    times.map(({ back }) => back),
  )
} else {
  const calm = measureCalm({
    ...options,
    hours: number('hours', 1),
    stall: number('stall', 2_000),
    stallEvery: number('every', 60_000),
  })
  process.stdout.write(`${String(nodes).padStart(5)} nodes  ${JSON.stringify(calm)}\n`)
}
process.stdout.write(`  ${((performance.now() - begun) / 1_000).toFixed(1)} s, seed ${seed}\n`)
