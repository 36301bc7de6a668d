import type { Env, ShoalError } from '@shoal/kernel'
import { headerNames, mediaTypes } from '@shoal/wire'
import { problemText } from '../problem-text.ts'
import { retryAfterSeconds, statusLine } from '../raw-answers.ts'

/**
 * The whole answer to a refused request, as text. All of it but the id and the date is the same as
 * long as the refusal is, and made once.
 */
export class RefusalText {
  readonly #env: Env
  /** Seconds for which an idle connection is kept, told as Node tells it. */
  readonly #keepAlive: number
  #refusal: ShoalError | undefined
  #head = ''
  #body = (_id: string): string => ''
  #date = ''
  #dated = 0

  constructor(env: Env, keepAliveTimeoutMs: number) {
    this.#env = env
    this.#keepAlive = Math.floor(keepAliveTimeoutMs / 1_000)
  }

  /** @param id  of the request; ASCII */
  write(refusal: ShoalError, id: string): string {
    if (refusal !== this.#refusal) this.#prepare(refusal)
    const body = this.#body(id)
    return (
      `${this.#head}${this.#now()}\r\n${headerNames.requestId}: ${id}\r\n` +
      `${headerNames.contentLength}: ${body.length}\r\n\r\n${body}`
    )
  }

  #prepare(refusal: ShoalError): void {
    this.#refusal = refusal
    this.#body = problemText(refusal)
    const lines = [
      statusLine(refusal),
      `${headerNames.contentType}: ${mediaTypes.problem}`,
      `${headerNames.retryAfter}: ${retryAfterSeconds(refusal)}`,
      `${headerNames.serverTiming}: total;dur=0`,
      `${headerNames.cacheControl}: no-store`,
      `${headerNames.contentTypeOptions}: nosniff`,
      `${headerNames.connection}: keep-alive`,
      `Keep-Alive: timeout=${this.#keepAlive}`,
    ]
    this.#head = `${lines.join('\r\n')}\r\nDate: `
  }

  /** A date tells seconds, so it is made once in one. */
  #now(): string {
    const second = Math.floor(this.#env.clock.wall() / 1_000)
    if (second !== this.#dated || this.#date === '') {
      this.#dated = second
      this.#date = new Date(second * 1_000).toUTCString()
    }
    return this.#date
  }
}
