/** What `npm run chaos` is asked to do. */
import { parseArgs } from 'node:util'
import { type FaultKind, faultKinds, type NetworkKind, networkKinds } from './plan.ts'

export const USAGE = `npm run chaos -- [--minutes 3] [--seed S] [--faults kill,partition]
                    [--nodes 3,5] [--network proxies,namespaces] [--workers 8] [--round-seconds 20]
                    [--from ROUND] [--rounds COUNT] [--equal-by itself|reads]
npm run chaos -- --kill-cycles 1000 [--seed S]    kill -9 and start again, so many times
npm run chaos -- --split 60 [--seed S]            majority and minority, writers on both sides

faults: ${faultKinds.join(', ')}
The exit code is 0 when nothing was found, 1 when something was, 2 when the request makes no sense.`

export interface Request {
  readonly minutes: number
  readonly seed: number
  readonly faults: readonly FaultKind[]
  readonly nodes: readonly number[] | undefined
  readonly networks: readonly NetworkKind[]
  readonly workers: number
  readonly roundMs: number
  readonly from: number
  readonly rounds: number
  readonly equalBy: 'itself' | 'reads'
  readonly killCycles: number | undefined
  readonly splitSeconds: number | undefined
}

const options = {
  minutes: { type: 'string', default: '3' },
  seed: { type: 'string' },
  faults: { type: 'string', default: faultKinds.join() },
  nodes: { type: 'string' },
  network: { type: 'string', default: networkKinds.join() },
  workers: { type: 'string', default: '8' },
  'round-seconds': { type: 'string', default: '20' },
  from: { type: 'string', default: '0' },
  rounds: { type: 'string' },
  'equal-by': { type: 'string', default: 'itself' },
  'kill-cycles': { type: 'string' },
  split: { type: 'string' },
  help: { type: 'boolean', short: 'h', default: false },
} as const

/** @returns undefined when help was asked for. @throws with words for people */
export function readRequest(parameters: readonly string[]): Request | undefined {
  const { values } = parseArgs({ args: [...parameters], options })
  if (values.help) return undefined
  return {
    minutes: number('minutes', values.minutes),
    seed: values.seed === undefined ? Math.floor(Math.random() * 1e6) : number('seed', values.seed),
    faults: members('faults', values.faults, faultKinds),
    nodes: values.nodes?.split(',').map((text) => number('nodes', text)),
    networks: members('network', values.network, networkKinds),
    workers: number('workers', values.workers),
    roundMs: 1_000 * number('round-seconds', values['round-seconds']),
    from: number('from', values.from),
    rounds: values.rounds === undefined ? Number.MAX_SAFE_INTEGER : number('rounds', values.rounds),
    equalBy: members('equal-by', values['equal-by'], ['itself', 'reads'] as const)[0] ?? 'itself',
    killCycles: maybe('kill-cycles', values['kill-cycles']),
    splitSeconds: maybe('split', values.split),
  }
}

function number(name: string, text: string): number {
  const value = Number(text)
  if (text !== '' && Number.isFinite(value) && value >= 0) return value
  throw new Error(`--${name} takes a number, not "${text}"`)
}

const maybe = (name: string, text: string | undefined): number | undefined =>
  text === undefined ? undefined : number(name, text)

function members<T extends string>(name: string, text: string, allowed: readonly T[]): T[] {
  return text.split(',').map((part) => {
    const found = allowed.find((each) => each === part)
    if (found === undefined) throw new Error(`--${name} takes ${allowed.join(', ')}, not "${part}"`)
    return found
  })
}
