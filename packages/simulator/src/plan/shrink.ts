import type { OperationPlan, Plan } from './plan.ts'
import { simplifications } from './simplify.ts'

export interface ShrinkOptions {
  /**
   * Runs a plan.
   * @returns  the rule of its first failure and when, undefined when all is well
   */
  readonly run: (plan: Plan) => Promise<ShrunkFailure | undefined>
  /** The most runs spent. */
  readonly runsMax: number
  /** Told of each smaller plan that still fails. */
  readonly progress?: (plan: Plan, runs: number) => void
  /** Asked between runs; true ends the search with what there is. */
  readonly enough?: () => boolean
}

export interface ShrunkFailure {
  readonly rule: string
  /** Virtual milliseconds since the beginning. */
  readonly at: number
}

export interface Shrunk {
  readonly plan: Plan
  readonly rule: string
  readonly runs: number
}

/** Below so many items a run is cheap enough to try other seeds where one no longer fails. */
const SMALL = 80
const OTHER_SEEDS = 4

/**
 * Makes a failing plan smaller while it fails in the same way: leaves out faults, operations and
 * injections by delta debugging (halves, quarters, single ones), then makes simpler what is left.
 *
 * Leaving something out moves what chance does to the rest, so a smaller plan may miss a failure
 * that it could show; small plans are therefore tried with a few other seeds as well. The same plan
 * and the same bound give the same result.
 *
 * @returns undefined when the plan does not fail
 */
export async function shrink(plan: Plan, options: ShrinkOptions): Promise<Shrunk | undefined> {
  const first = await options.run(plan)
  if (!first) return undefined
  const search = new Search(plan, first.rule, options)
  await search.cutBehind(first.at)
  let before = ''
  // Each round may open a way for the next; most plans are done after two.
  while (!search.isOver && before !== search.size) {
    before = search.size
    await search.withoutKeys()
    await search.withoutFaults()
    await search.withoutOperations()
    await search.withoutInjections()
    await search.simplified()
  }
  return { plan: search.best, rule: first.rule, runs: search.runs }
}

class Search {
  best: Plan
  runs = 1
  readonly #rule: string
  readonly #options: ShrinkOptions

  constructor(plan: Plan, rule: string, options: ShrinkOptions) {
    this.best = plan
    this.#rule = rule
    this.#options = options
  }

  get isOver(): boolean {
    return this.runs >= this.#options.runsMax || this.#options.enough?.() === true
  }

  get size(): string {
    return JSON.stringify({ ...this.best, seed: 0 })
  }

  /** What comes after the failure cannot have caused it. */
  async cutBehind(at: number): Promise<void> {
    const { operations, faults, duration } = this.best
    if (at >= duration) return
    await this.#try({
      ...this.best,
      duration: at + 1,
      operations: operations.filter((operation) => operation.at <= at),
      faults: faults.filter((fault) => fault.at <= at),
    })
  }

  /** All operations on a key at once: most keys have nothing to do with it. */
  withoutKeys(): Promise<void> {
    const keys = new Map<string, OperationPlan[]>()
    for (const operation of this.best.operations) {
      const place = `${operation.bucket}\0${operation.key}`
      const others = keys.get(place)
      if (others) others.push(operation)
      else keys.set(place, [operation])
    }
    return this.#withoutMany([...keys.values()], (kept) => {
      const left = new Set(kept.flat())
      return {
        ...this.best,
        operations: this.best.operations.filter((operation) => left.has(operation)),
      }
    })
  }

  withoutOperations(): Promise<void> {
    return this.#withoutMany(this.best.operations, (operations) => ({ ...this.best, operations }))
  }

  withoutFaults(): Promise<void> {
    return this.#withoutMany(this.best.faults, (faults) => ({ ...this.best, faults }))
  }

  /** Delta debugging: leaves out ever smaller stretches of a list, at last single items. */
  async #withoutMany<T>(list: readonly T[], planWith: (kept: readonly T[]) => Plan): Promise<void> {
    let items = list
    let size = Math.ceil(items.length / 2)
    while (size >= 1 && !this.isOver) {
      let from = 0
      while (from < items.length && !this.isOver) {
        const kept = [...items.slice(0, from), ...items.slice(from + size)]
        if (await this.#try(planWith(kept))) items = kept
        else from += size
      }
      size = size === 1 ? 0 : Math.ceil(size / 2)
    }
  }

  async withoutInjections(): Promise<void> {
    if (Object.keys(this.best.injections).length === 0) return
    if (await this.#try({ ...this.best, injections: {} })) return
    for (const label of Object.keys(this.best.injections)) {
      const { [label]: _left, ...injections } = this.best.injections
      await this.#try({ ...this.best, injections })
    }
  }

  /** Each simplification for as long as it applies and the plan goes on failing. */
  async simplified(): Promise<void> {
    for (const simplify of simplifications) {
      let index = 0
      for (;;) {
        if (this.isOver) return
        const simpler = simplify(this.best, index)
        if (simpler === 'done') break
        if (simpler === 'same' || !(await this.#try(simpler))) index++
      }
    }
  }

  /** @returns whether the plan fails as before; it is then the best one */
  async #try(plan: Plan): Promise<boolean> {
    const items = plan.operations.length + plan.faults.length
    const seeds = items <= SMALL ? OTHER_SEEDS : 1
    for (let other = 0; other < seeds && !this.isOver; other++) {
      const tried = other === 0 ? plan : { ...plan, seed: plan.seed + other }
      this.runs++
      const failure = await this.#options.run(tried)
      if (failure?.rule !== this.#rule) continue
      this.best = tried
      this.#options.progress?.(tried, this.runs)
      return true
    }
    return false
  }
}
