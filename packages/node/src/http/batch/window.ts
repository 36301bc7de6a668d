/**
 * The operations of a batch that are under way or wait to be told: a queue in the order sent,
 * bounded in number and bytes. Its reader stops when it is full, and it only empties as fast as the
 * client takes results, so a slow client slows its own batch and nothing else.
 */
export interface Slot {
  /** The result as text, undefined until it is there. */
  text: string | undefined
  /** Bytes held for it: those of the operation, then those of the result. */
  bytes: number
}

export class Window {
  readonly #slots: Slot[] = []
  readonly #slotsMax: number
  readonly #bytesMax: number
  #bytes = 0
  #ended = false
  #wakeReader: (() => void) | undefined
  #wakeWriter: (() => void) | undefined

  constructor({ slotsMax, bytesMax }: { slotsMax: number; bytesMax: number }) {
    this.#slotsMax = slotsMax
    this.#bytesMax = bytesMax
  }

  get bytes(): number {
    return this.#bytes
  }

  get size(): number {
    return this.#slots.length
  }

  /** Resolves when one more operation may begin. False: nobody waits for results any more. */
  async room(): Promise<boolean> {
    while (!this.#ended && this.#isFull()) {
      await new Promise<void>((wake) => {
        this.#wakeReader = wake
      })
    }
    return !this.#ended
  }

  /** One operation has begun. Always possible after `room`. */
  open(bytes: number): Slot {
    const slot: Slot = { text: undefined, bytes }
    this.#slots.push(slot)
    this.#bytes += bytes
    return slot
  }

  settle(slot: Slot, text: string): void {
    slot.text = text
    this.#bytes += text.length - slot.bytes
    slot.bytes = text.length
    if (this.#slots[0] === slot) this.#wake('writer')
  }

  /** No further operation will begin. */
  end(): void {
    this.#ended = true
    this.#wake('writer')
    this.#wake('reader')
  }

  /**
   * The results that are ready, oldest first, at most about so many bytes; they have left the
   * window. Undefined after the last one.
   */
  async take(bytesWanted: number): Promise<string[] | undefined> {
    while (this.#slots[0]?.text === undefined) {
      if (this.#ended && this.#slots.length === 0) return undefined
      await new Promise<void>((wake) => {
        this.#wakeWriter = wake
      })
    }
    const ready: string[] = []
    let bytes = 0
    while (bytes < bytesWanted) {
      const text = this.#slots[0]?.text
      if (text === undefined) break
      this.#slots.shift()
      ready.push(text)
      bytes += text.length
    }
    this.#bytes -= bytes
    this.#wake('reader')
    return ready
  }

  #isFull(): boolean {
    return this.#slots.length >= this.#slotsMax || this.#bytes >= this.#bytesMax
  }

  #wake(who: 'reader' | 'writer'): void {
    if (who === 'reader') {
      this.#wakeReader?.()
      this.#wakeReader = undefined
      return
    }
    this.#wakeWriter?.()
    this.#wakeWriter = undefined
  }
}
