/** Where commands read and write. Colour is for terminals only; NO_COLOR is honoured. */
import { once } from 'node:events'
import picocolors from 'picocolors'
import type { Contexts } from './repl/contexts.ts'

export type Paint = ReturnType<typeof picocolors.createColors>

type Environment = Record<string, string | undefined>

/** https://no-color.org: any text but the empty one turns colour off. */
export const wantsColour = (isTerminal: boolean, environment: Readonly<Environment>): boolean =>
  isTerminal && (environment.NO_COLOR ?? '') === '' && environment.TERM !== 'dumb'

export class Output {
  readonly #stream: NodeJS.WriteStream
  readonly isTerminal: boolean
  readonly paint: Paint

  constructor(stream: NodeJS.WriteStream, environment: Environment) {
    this.#stream = stream
    this.isTerminal = stream.isTTY === true
    this.paint = picocolors.createColors(wantsColour(this.isTerminal, environment))
  }

  /** For what draws a line of its own. */
  get stream(): NodeJS.WriteStream {
    return this.#stream
  }

  /** Characters on one line of the terminal. */
  get columns(): number {
    return this.#stream.columns ?? 80
  }

  line(text = ''): void {
    this.#stream.write(`${text}\n`)
  }

  lines(texts: readonly string[]): void {
    if (texts.length > 0) this.line(texts.join('\n'))
  }

  json(value: unknown): void {
    this.line(JSON.stringify(value, undefined, this.isTerminal ? 2 : undefined))
  }

  /** Raw, without a line end; settles when there is room for more. */
  async write(chunk: string | Uint8Array): Promise<void> {
    if (!this.#stream.write(chunk)) await once(this.#stream, 'drain')
  }

  /** To the upper left corner of an empty screen. */
  clear(): void {
    if (this.isTerminal) this.#stream.write('\u001b[2J\u001b[3J\u001b[H')
  }
}

export interface Io {
  readonly out: Output
  readonly err: Output
  /** Undefined where something else reads it already. */
  readonly input: NodeJS.ReadStream | undefined
  readonly environment: Environment
  /** What one sitting has seen; a single command has none. */
  readonly contexts?: Contexts
}

export function systemIo(): Io {
  const { stdout, stderr, stdin, env } = process
  return {
    out: new Output(stdout, env),
    err: new Output(stderr, env),
    input: stdin,
    environment: env,
  }
}
