import type { Target } from '../data/answers.ts'

/**
 * The causal contexts of a sitting, by key: a write follows what was last seen of its key, as it
 * would in a program that keeps them.
 */
export class Contexts {
  readonly #kept = new Map<string, string>()
  readonly #max: number

  constructor(max: number) {
    this.#max = max
  }

  of(target: Target): string | undefined {
    return this.#kept.get(nameOf(target))
  }

  keep(target: Target, context: string): void {
    if (context === '') return
    const name = nameOf(target)
    this.#kept.delete(name)
    this.#kept.set(name, context)
    const [oldest] = this.#kept.keys()
    if (this.#kept.size > this.#max && oldest !== undefined) this.#kept.delete(oldest)
  }
}

const nameOf = ({ bucket, key }: Target): string => `${bucket}\0${key}`
