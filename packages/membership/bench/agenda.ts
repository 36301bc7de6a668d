import { invariant } from '@shoal/kernel'

interface Entry<T> {
  readonly time: number
  readonly order: number
  readonly kind: number
  readonly item: T
}

/** What is to happen, the earliest first; of equal times the one added first. */
export class Agenda<T> {
  readonly #heap: Entry<T>[] = []
  #order = 0

  /** Infinite when nothing is left. */
  get next(): number {
    return this.#heap[0]?.time ?? Number.POSITIVE_INFINITY
  }

  add(time: number, kind: number, item: T): void {
    const heap = this.#heap
    const entry = { time, order: this.#order++, kind, item }
    let at = heap.length
    heap.push(entry)
    while (at > 0) {
      const above = (at - 1) >> 1
      const parent = heap[above] as Entry<T>
      if (!precedes(entry, parent)) break
      heap[at] = parent
      at = above
    }
    heap[at] = entry
  }

  take(): Entry<T> {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    invariant(first !== undefined && last !== undefined, 'something is to happen')
    if (heap.length > 0) this.#sink(last)
    return first
  }

  #sink(entry: Entry<T>): void {
    const heap = this.#heap
    let at = 0
    for (;;) {
      let below = 2 * at + 1
      if (below >= heap.length) break
      if (below + 1 < heap.length && precedes(heap[below + 1] as Entry<T>, heap[below] as Entry<T>))
        below++
      const child = heap[below] as Entry<T>
      if (!precedes(child, entry)) break
      heap[at] = child
      at = below
    }
    heap[at] = entry
  }
}

function precedes(one: Entry<unknown>, other: Entry<unknown>): boolean {
  return one.time < other.time || (one.time === other.time && one.order < other.order)
}
