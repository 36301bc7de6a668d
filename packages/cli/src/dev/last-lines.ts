/** Cuts a stream into lines, and remembers the last of them. */

/** A program that never ends its line must not fill our memory. */
const LINE_CHARS_MAX = 16_384
const REMEMBERED_MAX = 20

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
      if (rest.length > LINE_CHARS_MAX) {
        this.#add(rest)
        rest = ''
      }
    })
    stream.on('end', () => {
      if (rest !== '') this.#add(rest)
    })
  }

  #add(text: string): void {
    const line = text.replace(/\r$/, '').slice(0, LINE_CHARS_MAX)
    this.#last.push(line)
    if (this.#last.length > REMEMBERED_MAX) this.#last.shift()
    this.#onLine(line)
  }
}
