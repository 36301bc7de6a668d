import type { Output } from '../terminal.ts'
import { formatPercent } from './quantities.ts'

const BAR = 24
const TELL_EVERY_MS = 5_000

/**
 * How far long work is: one line that is drawn again on a terminal, now and then a line elsewhere.
 */
export class Progress {
  readonly #out: Output
  readonly #what: string
  #told = Number.NEGATIVE_INFINITY
  #drawn = false

  constructor(out: Output, what: string) {
    this.#out = out
    this.#what = what
  }

  at(done: number, of: number, more = ''): void {
    const share = of === 0 ? 1 : done / of
    const text = `${this.#what} ${formatPercent(share)} ${more}`.trimEnd()
    if (this.#out.isTerminal) {
      const full = Math.round(share * BAR)
      const bar = '█'.repeat(full) + '░'.repeat(BAR - full)
      this.#out.stream.write(`\r\u001b[K${bar} ${text}`.slice(0, this.#out.columns + 4))
      this.#drawn = true
    } else if (performance.now() - this.#told > TELL_EVERY_MS) {
      this.#told = performance.now()
      this.#out.line(text)
    }
  }

  end(): void {
    if (this.#drawn) this.#out.line()
  }
}
