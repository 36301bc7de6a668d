/**
 * Who did what to the cluster: one line for each administrative request, each request that was
 * turned away, and each change of tokens or certificates. Never a token, never a body.
 */
import { type Env, seconds } from '@shoal/kernel'
import { Allowance } from './allowance.ts'

export type AuditEvent = 'start' | 'stop' | 'admin' | 'refused' | 'reload'

export interface Audit {
  record(event: AuditEvent, details: object): void
  /** For what strangers can cause: some lines a second, then only how many were left out. */
  recordSometimes(event: AuditEvent, details: object): void
}

/** Where lines go. */
export interface AuditSink {
  write(event: AuditEvent, details: object): void
}

/** At once; and over time, a second. */
const STRANGERS = { rate: 5, burst: 20 }
const TELL_OMITTED = seconds(10)

export class AuditTrail implements Audit {
  readonly #env: Env
  readonly #sink: AuditSink
  readonly #strangers: Allowance
  #omitted = 0

  constructor(env: Env, sink: AuditSink) {
    this.#env = env
    this.#sink = sink
    this.#strangers = new Allowance(STRANGERS, env.clock.elapsed())
  }

  record(event: AuditEvent, details: object): void {
    this.#sink.write(event, details)
  }

  recordSometimes(event: AuditEvent, details: object): void {
    if (this.#strangers.take(1, this.#env.clock.elapsed()) === 0) return this.record(event, details)
    if (this.#omitted++ === 0) {
      this.#env.clock.after(TELL_OMITTED, () => {
        this.record(event, { omitted: this.#omitted })
        this.#omitted = 0
      })
    }
  }
}

/** Where no file is named for them, the lines stand in the log, marked. */
export const auditInLog = (log: { info(details: object, message: string): void }): AuditSink => ({
  write: (event, details) => log.info({ audit: event, ...details }, 'audit'),
})
