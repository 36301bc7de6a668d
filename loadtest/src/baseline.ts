/** The figures of an earlier run, and how those of another stand to them. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { isSame, type Machine } from './machine.ts'

export interface Baseline {
  readonly scenario: string
  readonly machine: Machine
  /** What was asked: figures of another load are not to be compared. */
  readonly load: { readonly rate: number; readonly seconds: number; readonly nodes: number }
  /** By name, with its unit; less is better for all of them. */
  readonly figures: Readonly<Record<string, number>>
}

export function readBaseline(path: string): Baseline | undefined {
  if (!existsSync(path)) return undefined
  return JSON.parse(readFileSync(path, 'utf8')) as Baseline
}

export function writeBaseline(path: string, baseline: Baseline): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, `${JSON.stringify(baseline, undefined, 2)}\n`)
}

export interface Compared {
  readonly name: string
  readonly before: number
  readonly now: number
  /** Above 1: worse than before. */
  readonly ratio: number
}

export interface Comparison {
  readonly rows: readonly Compared[]
  /** Why the ratios are to be taken with care; empty when they are not. */
  readonly cautions: readonly string[]
}

export function compare(before: Baseline, now: Baseline): Comparison {
  const rows = Object.entries(now.figures).flatMap(([name, figure]) => {
    const old = before.figures[name]
    if (old === undefined || old === 0) return []
    return [{ name, before: old, now: figure, ratio: figure / old }]
  })
  const cautions: string[] = []
  if (!isSame(before.machine, now.machine)) {
    cautions.push('another machine: only the ratios between figures of one run mean something')
  }
  const { load } = before
  if (load.rate !== now.load.rate || load.nodes !== now.load.nodes) {
    cautions.push(`another load: it had ${load.rate} operations a second on ${load.nodes} nodes`)
  }
  return { rows, cautions }
}
