/** Something that will happen. Plain fields: one of these is made for every event. */
export class SimEvent<Owner> {
  /** Virtual time. */
  due: number
  /** Decides between events that are due together. */
  tie: number
  readonly sequence: number
  readonly kind: number
  readonly owner: Owner
  readonly work: () => void
  /** Not before the owner's own clock says this; negative for no such thing. */
  readonly target: number
  ended = false
  /** In the heap. */
  queued = false
  readonly #queue: EventQueue<Owner>

  constructor(queue: EventQueue<Owner>, fields: EventFields<Owner>, sequence: number, tie: number) {
    this.#queue = queue
    this.due = fields.due
    this.tie = tie
    this.sequence = sequence
    this.kind = fields.kind
    this.owner = fields.owner
    this.work = fields.work
    this.target = fields.target
  }

  cancel(): void {
    if (this.ended) return
    this.ended = true
    if (this.queued) this.#queue.cancelled()
  }
}

export interface EventFields<Owner> {
  readonly due: number
  readonly kind: number
  readonly owner: Owner
  readonly work: () => void
  readonly target: number
}

const SWEEP_MIN = 256

/**
 * What is to happen, the earliest first: a binary heap. Events due together come in an order drawn
 * from the seed, because nothing may depend on it. Cancelled ones stay until they come up or are
 * half of all.
 */
export class EventQueue<Owner> {
  readonly #salt: number
  #heap: SimEvent<Owner>[] = []
  #sequence = 0
  #cancelled = 0

  constructor(seed: number) {
    this.#salt = seed | 0
  }

  /** Events that will happen unless they are cancelled. */
  get size(): number {
    return this.#heap.length - this.#cancelled
  }

  /** Of the earliest event, Infinity when there is none. */
  get nextDue(): number {
    this.#dropEnded()
    return this.#heap[0]?.due ?? Number.POSITIVE_INFINITY
  }

  add(fields: EventFields<Owner>): SimEvent<Owner> {
    const sequence = this.#sequence++
    const event = new SimEvent(this, fields, sequence, scatter(sequence ^ this.#salt))
    this.#push(event)
    return event
  }

  /** Puts back an event that was taken and has not happened, for a later time. */
  putBack(event: SimEvent<Owner>, due: number): void {
    event.due = due
    event.ended = false
    this.#push(event)
  }

  /** The earliest event; it has ended unless it is put back. */
  take(): SimEvent<Owner> | undefined {
    this.#dropEnded()
    const event = this.#pop()
    if (event) event.ended = true
    return event
  }

  /** What will happen, in no order. */
  *waiting(): Generator<SimEvent<Owner>> {
    for (const event of this.#heap) if (!event.ended) yield event
  }

  cancelled(): void {
    this.#cancelled++
    if (this.#cancelled > SWEEP_MIN && this.#cancelled * 2 > this.#heap.length) this.#sweep()
  }

  #dropEnded(): void {
    while (this.#heap[0]?.ended) {
      this.#pop()
      this.#cancelled--
    }
  }

  #sweep(): void {
    const live = this.#heap.filter((event) => !event.ended)
    this.#heap = []
    this.#cancelled = 0
    for (const event of live) this.#push(event)
  }

  #push(event: SimEvent<Owner>): void {
    const heap = this.#heap
    let at = heap.length
    event.queued = true
    while (at > 0) {
      const above = (at - 1) >>> 1
      const parent = heap[above] as SimEvent<Owner>
      if (!isBefore(event, parent)) break
      heap[at] = parent
      at = above
    }
    heap[at] = event
  }

  #pop(): SimEvent<Owner> | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (first) first.queued = false
    if (last === undefined || last === first) return first
    let at = 0
    for (;;) {
      let below = 2 * at + 1
      if (below >= heap.length) break
      let child = heap[below] as SimEvent<Owner>
      const right = heap[below + 1]
      if (right !== undefined && isBefore(right, child)) {
        child = right
        below++
      }
      if (!isBefore(child, last)) break
      heap[at] = child
      at = below
    }
    heap[at] = last
    return first
  }
}

function isBefore<Owner>(one: SimEvent<Owner>, other: SimEvent<Owner>): boolean {
  if (one.due !== other.due) return one.due < other.due
  if (one.tie !== other.tie) return one.tie < other.tie
  return one.sequence < other.sequence
}

/** Spreads numbers over 32 bits (the finalizer of MurmurHash3). */
function scatter(value: number): number {
  let mixed = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}
