/** Something that must never be, seen. */
export interface Violation {
  /** `I1` to `I14`, or the number of the rule where it is not one of these. */
  readonly invariant: string
  /** Names key, dots, nodes and operations. */
  readonly message: string
  /** Virtual milliseconds. */
  readonly at: number
}

/** More say nothing new: what follows a first failure is mostly its consequence. */
const KEPT = 50

/** Where all checks put what they find. Nothing else of them leaves, least of all an exception. */
export class Findings {
  readonly violations: Violation[] = []
  /** How often each check was made. */
  readonly made = new Map<string, number>()
  readonly #now: () => number
  readonly #told: (invariant: string, message: string) => void
  #count = 0

  /** @param told  hears of each of them as well */
  constructor(now: () => number, told: (invariant: string, message: string) => void) {
    this.#now = now
    this.#told = told
  }

  /** All of them, also those not kept. */
  get count(): number {
    return this.#count
  }

  add(invariant: string, message: string): void {
    this.#count++
    this.#told(invariant, message)
    if (this.violations.length < KEPT) {
      this.violations.push({ invariant, message, at: this.#now() })
    }
  }

  checked(what: string): void {
    this.made.set(what, (this.made.get(what) ?? 0) + 1)
  }
}
