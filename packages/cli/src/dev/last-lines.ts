/**
 * Cuts streams into lines, and remembers the last of them. A program that never ends its line must
 * not fill our memory.
 */
import { limits } from '@shoal/kernel'

export class LastLines {
  readonly #onLine: (line: string) => void
  readonly #last: string[] = []

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine
  }

  /** Oldest first. */
  get last(): readonly string[] {
    return this.#last
  }

  follow(stream: NodeJS.ReadableStream): void {
    let rest = ''
    stream.setEncoding('utf8')
    stream.on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) this.#add(line)
      if (rest.length > limits.devLineCharsMax) {
        this.#add(rest)
        rest = ''
      }
    })
    stream.on('end', () => {
      if (rest !== '') this.#add(rest)
    })
  }

  #add(text: string): void {
    const line = text.replace(/\r$/, '').slice(0, limits.devLineCharsMax)
    this.#last.push(line)
    if (this.#last.length > limits.devLinesKept) this.#last.shift()
    this.#onLine(line)
  }
}
