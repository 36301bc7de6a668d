/**
 * RFC 9651 items, with the place of everything that is wrong.
 *
 * A library that throws "parse error" would do for reading; it would not do for telling a person
 * which character of a header to look at, or where the parameter stands that nobody knows. Dates
 * and display strings are read for the sake of the grammar (a repeated parameter may be anything
 * before its last value) and mean nothing here.
 */
export type BareKind =
  | 'integer'
  | 'decimal'
  | 'string'
  | 'token'
  | 'bytes'
  | 'boolean'
  | 'date'
  | 'display'

export interface Bare {
  readonly kind: BareKind
  /** Numbers and dates as numbers, booleans as such, everything else as text. */
  readonly value: number | boolean | string
  readonly offset: number
}

export interface Parameter extends Bare {
  readonly name: string
  /** Where the name begins; `offset` is where the value does, or the name again without one. */
  readonly nameOffset: number
}

export interface Item extends Bare {
  /** In the order written. Of a repeated name the last one counts. */
  readonly parameters: readonly Parameter[]
}

/** What is wrong with a text, and at which character. */
export interface Fault {
  readonly fault: string
  readonly offset: number
}

export const isFault = (result: object): result is Fault => 'fault' in result

class Stop extends Error {
  readonly offset: number
  constructor(fault: string, offset: number) {
    super(fault)
    this.offset = offset
  }
}

/** Reads a whole header value as one item with parameters. */
export function parseItem(text: string): Item | Fault {
  const scanner = new Scanner(text)
  try {
    scanner.skipSpaces()
    const bare = scanner.bare()
    const parameters = scanner.parameters()
    scanner.skipSpaces()
    scanner.expectEnd()
    return { ...bare, parameters }
  } catch (error) {
    if (error instanceof Stop) return { fault: error.message, offset: error.offset }
    throw error
  }
}

const tokenText = /[A-Za-z*][A-Za-z0-9!#$%&'*+\-.^_`|~:/]*/y
const numberText = /-?(?:[0-9]{1,12}\.[0-9]{1,3}|[0-9]{1,15})(?![0-9.])/y
const nameText = /[a-z*][a-z0-9_\-.*]*/y
const stringText = /"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*"/y
const bytesText = /:(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2,3}={0,2})?:/y
const displayText = /%"(?:[\x20\x21\x23\x24\x26-\x7e]|%[0-9a-f]{2})*"/y

class Scanner {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  skipSpaces(): void {
    while (this.#text[this.#at] === ' ') this.#at++
  }

  expectEnd(): void {
    if (this.#at < this.#text.length) this.#stop(`unexpected ${this.#here()}`)
  }

  bare(): Bare {
    const offset = this.#at
    const first = this.#text[offset] ?? ''
    if (first === '') this.#stop('a value is missing')
    if (/[-0-9]/.test(first)) return this.#number(offset)
    if (/[A-Za-z*]/.test(first)) {
      return { kind: 'token', value: this.#take(tokenText, 'a token'), offset }
    }
    if (first === '"') return { kind: 'string', value: this.#string(), offset }
    if (first === ':') {
      return { kind: 'bytes', value: this.#take(bytesText, 'base64 between colons'), offset }
    }
    if (first === '?') return { kind: 'boolean', value: this.#boolean(), offset }
    if (first === '@') return this.#date(offset)
    if (first === '%') return { kind: 'display', value: this.#display(offset), offset }
    return this.#stop(`unexpected ${this.#here()}`)
  }

  parameters(): Parameter[] {
    const found: Parameter[] = []
    while (this.#text[this.#at] === ';') {
      this.#at++
      this.skipSpaces()
      const nameOffset = this.#at
      const name = this.#take(nameText, 'the name of a parameter, in lower case')
      if (this.#text[this.#at] !== '=') {
        found.push({ name, nameOffset, kind: 'boolean', value: true, offset: nameOffset })
        continue
      }
      this.#at++
      found.push({ name, nameOffset, ...this.bare() })
    }
    return found
  }

  #number(offset: number): Bare {
    const text = this.#take(numberText, 'a number of at most 15 digits, 3 of them decimal')
    return { kind: text.includes('.') ? 'decimal' : 'integer', value: Number(text), offset }
  }

  #string(): string {
    const text = this.#take(stringText, 'a string of visible ASCII in double quotes')
    return text.slice(1, -1).replace(/\\(["\\])/g, '$1')
  }

  #boolean(): boolean {
    const text = this.#text.slice(this.#at, this.#at + 2)
    if (text !== '?1' && text !== '?0') this.#stop('a boolean is ?1 or ?0')
    this.#at += 2
    return text === '?1'
  }

  #date(offset: number): Bare {
    this.#at++
    const { kind, value } = this.#number(this.#at)
    if (kind !== 'integer') this.#stop('a date is a whole number of seconds', offset)
    return { kind: 'date', value, offset }
  }

  #display(offset: number): string {
    const text = this.#take(displayText, 'a display string, %"…" with lower-case escapes')
    try {
      return decodeURIComponent(text.slice(2, -1))
    } catch {
      return this.#stop('the escapes of a display string are UTF-8', offset)
    }
  }

  #take(pattern: RegExp, wanted: string): string {
    pattern.lastIndex = this.#at
    const [taken] = pattern.exec(this.#text) ?? []
    if (taken === undefined) return this.#stop(`expected ${wanted}, found ${this.#here()}`)
    this.#at += taken.length
    return taken
  }

  #here(): string {
    const char = this.#text[this.#at]
    return char === undefined ? 'the end' : JSON.stringify(char)
  }

  #stop(fault: string, offset = this.#at): never {
    throw new Stop(fault, offset)
  }
}
