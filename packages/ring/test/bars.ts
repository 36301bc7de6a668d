/**
 * Measures the planner over the whole matrix: 5 partition counts × 2 replica counts × 10 scenarios,
 * every step once planned from nothing and once as a change of the table before. Takes some
 * minutes; `npm run bars -w @shoal/ring`. The default tests cover a sample of it.
 */
import { createRing, foundRing, planTable, type TableMember } from '../src/index.ts'
import { type Peak, peakOf } from './support/fallback-peak.ts'
import {
  countNew,
  faultsOfLoads,
  faultsOfPrimaries,
  faultsOfSets,
  fewestNew,
  judgeMembers,
  type Placement,
  sorted,
  spreadOf,
} from './support/judge.ts'
import {
  cluster,
  partitionCounts,
  replicaCounts,
  type Scenario,
  scenarios,
} from './support/scenarios.ts'

const print = (line: string): boolean => process.stdout.write(`${line}\n`)
const fixed = (value: number, digits = 3): string => value.toFixed(digits)

const heading = (...cells: string[]): string =>
  `| ${cells.join(' | ')} |\n|${'---|'.repeat(cells.length)}`

/** Counts and extremes of one scenario, or of all. */
class Tally {
  builds = 0
  changes = 0
  faults: string[] = []
  exact = 0
  ratios: number[] = []
  optimal = 0
  judged = 0
  twice = 0
  /** The same at 256 partitions, 3 copies. */
  twiceUsual = 0
  buildMillis = 0
  changeMillis = 0

  add(other: Tally): void {
    this.builds += other.builds
    this.changes += other.changes
    this.faults.push(...other.faults)
    this.exact += other.exact
    this.ratios.push(...other.ratios)
    this.optimal += other.optimal
    this.judged += other.judged
    this.twice += other.twice
    this.twiceUsual += other.twiceUsual
    this.buildMillis = Math.max(this.buildMillis, other.buildMillis)
    this.changeMillis = Math.max(this.changeMillis, other.changeMillis)
  }

  row(name: string): string {
    const mean = this.ratios.reduce((sum, ratio) => sum + ratio, 0) / this.ratios.length
    const cells = [
      name,
      this.builds,
      this.changes,
      this.faults.length,
      `${this.exact} of ${this.changes}`,
      `${fixed(mean, 4)} / ${fixed(Math.max(...this.ratios), 2)}`,
      this.judged === 0 ? '–' : `${this.optimal} of ${this.judged}`,
      `${this.twice} / ${this.twiceUsual}`,
      `${fixed(this.buildMillis, 0)} / ${fixed(this.changeMillis, 0)}`,
    ]
    return `| ${cells.join(' | ')} |`
  }
}

/** Evenness of builds by kind of cluster. */
class Evenness {
  count = 0
  worst = 0
  over = 0
  unrounded = 0
  beyondCeiling = 0

  add({ worst, beyondCeiling }: Peak, bar: number): void {
    this.count++
    this.worst = Math.max(this.worst, worst)
    if (worst > bar) this.over++
    if (worst > bar && beyondCeiling > 0) this.unrounded++
    this.beyondCeiling = Math.max(this.beyondCeiling, beyondCeiling)
  }

  row(name: string, bar: number): string {
    const { count, over, unrounded, worst, beyondCeiling } = this
    const cells = [name, count, bar, over, unrounded, fixed(worst, 2), beyondCeiling]
    return `| ${cells.join(' | ')} |`
  }
}

const pairs = { plain: new Evenness(), large: new Evenness(), zoned: new Evenness() }
const fallbacks = new Evenness()

/** Processor time, so that a busy machine does not count. */
function timed<T>(run: () => T): { result: T; millis: number } {
  const start = process.cpuUsage()
  const result = run()
  const { user, system } = process.cpuUsage(start)
  return { result, millis: (user + system) / 1_000 }
}

const faultsOf = (placement: Placement): string[] => [
  ...faultsOfSets(placement),
  ...faultsOfLoads(placement),
  ...faultsOfPrimaries(placement),
]

/**
 * No table in bounds moves fewer: the poor must reach their floor, nobody keeps more than its
 * ceiling.
 */
function lowerBound(after: Placement, before: Placement): number {
  const { nodes, copies, loads } = judgeMembers(after)
  const ids = sorted(before.members).map((member) => member.id)
  const old = new Map<string, number>()
  for (const node of before.table.flat()) old.set(ids[node]!, (old.get(ids[node]!) ?? 0) + 1)
  let short = 0
  let kept = 0
  nodes.forEach((member, node) => {
    const had = old.get(member.id) ?? 0
    short += Math.max(0, loads[node]!.low - had)
    kept += Math.min(had, loads[node]!.high)
  })
  return Math.max(short, after.partitions * copies - kept)
}

function judgeBuild(scenario: Scenario, placement: Placement): void {
  const { members, partitions, replicas } = placement
  const size = members.length
  if (scenario.weighted || size < 2) return
  const spread = spreadOf(placement)
  if (spread.mean >= 2) {
    if (scenario.zoned) pairs.zoned.add(spread, 1.9)
    else if (size > 50) pairs.large.add(spread, 1.9)
    else pairs.plain.add(spread, 1.3)
  }
  if (scenario.zoned || size > 50 || (partitions * replicas) / size < 38 || size <= replicas) return
  const urls = members.map((member, at) => ({ ...member, url: `http://h${at}.test` }))
  const record = foundRing({ secretDigest: '', members: urls, partitions, replicas })
  fallbacks.add(peakOf(createRing(record, record.members[0]!.id)), 1.65)
}

function judgeChange(tally: Tally, before: Placement, after: Placement, exactly: boolean): void {
  const previous = { ids: sorted(before.members).map((member) => member.id), table: before.table }
  const moved = countNew(after, previous)
  const bound = lowerBound(after, before)
  tally.changes++
  if (moved === bound) tally.exact++
  tally.ratios.push(moved === bound ? 1 : moved / bound)
  if (exactly || (moved !== bound && after.partitions <= 128)) {
    tally.judged++
    if (fewestNew(after, previous) === moved) tally.optimal++
  }
  const ids = sorted(after.members).map((member) => member.id)
  const touched = after.table.filter((set, partition) => {
    const old = new Set(before.table[partition]!.map((node) => previous.ids[node]))
    return set.length === old.size && set.filter((node) => !old.has(ids[node]!)).length > 1
  })
  tally.twice += touched.length
  if (after.partitions === 256 && after.replicas === 3) tally.twiceUsual += touched.length
}

function measure(scenario: Scenario, partitions: number, replicas: number): Tally {
  const tally = new Tally()
  const exactly =
    scenario.zoned && partitions <= 128 && (scenario.kind === 'leave' || scenario.kind === 'weight')
  let before: Placement | undefined
  for (const members of scenario.steps) {
    const sizes = { partitions, replicas, members }
    const build = timed(() => planTable(sizes))
    const built = { ...sizes, table: build.result }
    tally.builds++
    tally.buildMillis = Math.max(tally.buildMillis, build.millis)
    tally.faults.push(...faultsOf(built))
    judgeBuild(scenario, built)
    if (before === undefined) {
      before = built
      continue
    }
    const previous = { ids: sorted(before.members).map((member) => member.id), table: before.table }
    const change = timed(() => planTable({ ...sizes, previous }))
    const after: Placement = { ...sizes, table: change.result }
    tally.changeMillis = Math.max(tally.changeMillis, change.millis)
    tally.faults.push(...faultsOf(after))
    judgeChange(tally, before, after, exactly)
    before = after
  }
  return tally
}

function matrix(): boolean {
  print(
    heading(
      'scenario',
      'builds',
      'changes',
      'faults',
      'moved = LB',
      'moved / LB, mean / worst',
      '= optimum',
      'sets changed twice, all / Q=256 N=3',
      'slowest build / change, cpu ms',
    ),
  )
  const all = new Tally()
  for (const scenario of scenarios) {
    const tally = new Tally()
    for (const partitions of partitionCounts) {
      for (const replicas of replicaCounts) tally.add(measure(scenario, partitions, replicas))
    }
    print(tally.row(scenario.name))
    all.add(tally)
  }
  print(all.row('**all**'))
  for (const fault of all.faults.slice(0, 20)) print(`fault: ${fault}`)
  print('')
  print(
    heading(
      'evenness of builds',
      'clusters',
      'bar',
      'over it',
      'not by rounding',
      'worst / mean',
      'beyond ceiling',
    ),
  )
  print(pairs.plain.row('meetings, unzoned, n ≤ 50', 1.3))
  print(pairs.large.row('meetings, unzoned, n > 50', 1.9))
  print(pairs.zoned.row('meetings, zoned', 1.9))
  print(fallbacks.row('first fallbacks, unzoned, n ≤ 50', 1.65))
  print('')
  return all.faults.length === 0 && pairs.plain.beyondCeiling <= 1 && fallbacks.beyondCeiling === 0
}

/** Median and slowest of some runs. */
function times(run: (at: number) => unknown, runs: number): string {
  const millis = Array.from({ length: runs }, (_, at) => timed(() => run(at)).millis)
  millis.sort((a, b) => a - b)
  return `${fixed(millis[runs >> 1]!, 0)} / ${fixed(millis[runs - 1]!, 0)}`
}

function clock(): void {
  print('200 nodes, 1,024 partitions: processor time, median / slowest, ms\n')
  print(heading('copies, zones', 'build', 'join', 'leave', 'reweight 20 by 4', 'swap 100'))
  for (const [replicas, zones] of [
    [3, 0],
    [3, 3],
    [5, 0],
    [5, 5],
  ] as const) {
    const members = cluster(200, zones)
    const sizes = { partitions: 1_024, replicas }
    const previous = {
      ids: sorted(members).map((member) => member.id),
      table: planTable({ ...sizes, members }),
    }
    const to = (after: readonly TableMember[]) => planTable({ ...sizes, members: after, previous })
    const joined = (at: number) => [...members, { ...cluster(300, zones)[200 + at]! }]
    const heavier = members.map((one, at) => (at % 10 === 3 ? { ...one, weight: 4 } : one))
    const swapped = [...members.slice(100), ...cluster(300, zones).slice(200)]
    const cells = [
      times(() => planTable({ ...sizes, members }), 9),
      times((at) => to(joined(at)), 20),
      times((at) => to(members.filter((_, index) => index !== at * 7)), 20),
      times(() => to(heavier), 5),
      times(() => to(swapped), 5),
    ]
    print(`| N = ${replicas}, ${zones} zones | ${cells.join(' | ')} |`)
  }
}

print(`Node ${process.version}\n`)
if (process.argv[2] !== 'clock' && !matrix()) process.exitCode = 1
clock()
