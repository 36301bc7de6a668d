import { type Env, type ShoalError, toProblem } from '@shoal/kernel'
import { headerNames, mediaTypes } from '@shoal/wire'
import { asciiJson, retryAfterSeconds, statusLine } from '../raw-answers.ts'

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
  /** The body before the id, and behind it. */
  #before = ''
  #after = ''
  #date = ''
  #dated = 0

  constructor(env: Env, keepAliveTimeoutMs: number) {
    this.#env = env
    this.#keepAlive = Math.floor(keepAliveTimeoutMs / 1_000)
  }

  /** @param id  of the request; ASCII */
  write(refusal: ShoalError, id: string): string {
    if (refusal !== this.#refusal) this.#prepare(refusal)
    const length = this.#before.length + id.length + this.#after.length
    return (
      `${this.#head}${this.#now()}\r\n${headerNames.requestId}: ${id}\r\n` +
      `${headerNames.contentLength}: ${length}\r\n\r\n${this.#before}${id}${this.#after}`
    )
  }

  #prepare(refusal: ShoalError): void {
    this.#refusal = refusal
    const body = asciiJson(toProblem(refusal, `urn:shoal:request:${PLACE}`))
    const at = body.indexOf(PLACE)
    this.#before = body.slice(0, at)
    this.#after = body.slice(at + PLACE.length)
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

/** Stands for the id; no text of ours has it. */
const PLACE = '@id@'
