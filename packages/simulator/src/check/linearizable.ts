/**
 * Whether the operations of one object could have happened one at a time, each at some moment
 * between its invocation and its return.
 *
 * The obvious search tries every order and is over when the last operation is placed; on histories
 * of a hundred operations it never ends. This one only places operations that were open before the
 * first return that is still unplaced, and never looks twice at one set of placed operations with
 * one state of the object. An object is checked by itself: a history of many keys is linearizable
 * when the history of each is.
 *
 * Sources: Wing and Gong, Testing and verifying concurrent objects, 1993; Lowe, Testing for
 * linearizability, 2017.
 */
export interface TimedOperation<Input> {
  readonly id: string
  readonly invoked: number
  /**
   * Undefined where nobody knows: it may have happened at any time since, may still, or never
   * will.
   */
  readonly returned: number | undefined
  /** What was asked and, where it returned, what was answered. */
  readonly input: Input
}

export interface Model<State, Input> {
  readonly initial: State
  /**
   * The state after this operation, or undefined where its answer was impossible in this state.
   *
   * @param known  whether it returned; if not, its answer says nothing
   */
  step(state: State, input: Input, known: boolean): State | undefined
  /** Equal for equal states. */
  key(state: State): string
}

export type Linearizability =
  | { readonly kind: 'linearizable'; readonly order: readonly string[] }
  /** `stuck` could not be placed behind the longest order that was found. */
  | { readonly kind: 'violated'; readonly order: readonly string[]; readonly stuck: string }
  /** Too many states: no verdict, which a test takes for a failure. */
  | { readonly kind: 'capped'; readonly states: number }

interface Options {
  /** States looked at before giving up. */
  readonly cap: number
}

interface Frame<State> {
  readonly operation: number
  readonly before: State
}

/**
 * @param operations  of one object, in any order
 * Cost: one state for each placed operation where clients do not overlap; exponential in the
 * number of operations open at a time.
 */
export function checkLinearizable<State, Input>(
  operations: readonly TimedOperation<Input>[],
  model: Model<State, Input>,
  { cap }: Options = { cap: 1_000_000 },
): Linearizability {
  return new Search(operations, model, cap).run()
}

class Search<State, Input> {
  readonly #operations: readonly TimedOperation<Input>[]
  readonly #model: Model<State, Input>
  readonly #cap: number
  readonly #placed: Uint8Array
  readonly #stack: Frame<State>[] = []
  readonly #visited = new Set<string>()
  #known: number
  #longest: readonly string[] = []
  #stuck = ''

  constructor(
    operations: readonly TimedOperation<Input>[],
    model: Model<State, Input>,
    cap: number,
  ) {
    this.#operations = [...operations].sort((one, other) => one.invoked - other.invoked)
    this.#model = model
    this.#cap = cap
    this.#placed = new Uint8Array(operations.length)
    this.#known = operations.filter(({ returned }) => returned !== undefined).length
  }

  run(): Linearizability {
    let state = this.#model.initial
    let from = 0
    while (this.#known > 0) {
      const next = this.#placeNext(state, from)
      if (this.#visited.size > this.#cap) return { kind: 'capped', states: this.#visited.size }
      if (next) {
        state = next.state
        from = 0
        continue
      }
      this.#noteStuck()
      const frame = this.#stack.pop()
      if (!frame) return { kind: 'violated', order: this.#longest, stuck: this.#stuck }
      this.#unplace(frame.operation)
      state = frame.before
      from = frame.operation + 1
    }
    return { kind: 'linearizable', order: this.#order() }
  }

  /** Places one more operation: the first from `from` on that leads to a state not seen before. */
  #placeNext(state: State, from: number): { state: State } | undefined {
    const limit = this.#firstReturn()
    for (let index = from; index < this.#operations.length; index++) {
      const { input, invoked, returned } = this.#operations[index] as TimedOperation<Input>
      if (invoked > limit) return undefined
      if (this.#placed[index] === 1) continue
      const after = this.#model.step(state, input, returned !== undefined)
      if (after === undefined) continue
      this.#place(index)
      const seen = `${this.#placedText()} ${this.#model.key(after)}`
      if (!this.#visited.has(seen)) {
        this.#visited.add(seen)
        this.#stack.push({ operation: index, before: state })
        return { state: after }
      }
      this.#unplace(index)
    }
    return undefined
  }

  /** Whatever was invoked later happened later than this one, which is not placed yet. */
  #firstReturn(): number {
    let first = Number.POSITIVE_INFINITY
    for (let index = 0; index < this.#operations.length; index++) {
      const { invoked, returned } = this.#operations[index] as TimedOperation<Input>
      if (invoked > first) return first
      if (this.#placed[index] === 0 && returned !== undefined && returned < first) first = returned
    }
    return first
  }

  #place(index: number): void {
    this.#placed[index] = 1
    if (this.#operations[index]?.returned !== undefined) this.#known--
  }

  #unplace(index: number): void {
    this.#placed[index] = 0
    if (this.#operations[index]?.returned !== undefined) this.#known++
  }

  /** The set of placed operations, short where all up to some point are placed. */
  #placedText(): string {
    const full = this.#placed.indexOf(0)
    if (full < 0) return 'all'
    const last = this.#placed.lastIndexOf(1)
    return `${full}:${this.#placed.subarray(full, last + 1).join('')}`
  }

  #order(): string[] {
    return this.#stack.map(({ operation }) => this.#operations[operation]?.id ?? '')
  }

  #noteStuck(): void {
    if (this.#stack.length < this.#longest.length) return
    this.#longest = this.#order()
    const limit = this.#firstReturn()
    const stuck = this.#operations.find(
      ({ returned }, index) => this.#placed[index] === 0 && returned === limit,
    )
    this.#stuck = stuck?.id ?? ''
  }
}

/** What is asked of a register, and what it answered. */
export type RegisterInput =
  | { readonly kind: 'write'; readonly value: string }
  | { readonly kind: 'read'; readonly value: string | undefined }
  | {
      readonly kind: 'cas'
      readonly expected: string | undefined
      readonly value: string
      readonly swapped: boolean
    }

/** A register that is empty at first. */
export const register: Model<string | undefined | null, RegisterInput> = {
  initial: null,
  step: (state, input, known) => {
    const held = state ?? undefined
    switch (input.kind) {
      case 'write':
        return input.value
      case 'read':
        return !known || input.value === held ? state : undefined
      case 'cas': {
        const matches = held === input.expected
        if (!known) return matches ? input.value : state
        if (matches !== input.swapped) return undefined
        return matches ? input.value : state
      }
      default:
        return undefined
    }
  },
  key: (state) => (state === null ? '-' : `=${state}`),
}
