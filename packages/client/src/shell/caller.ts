/**
 * How one face of the client makes its calls: with which defaults, in which session, by which way.
 */
import { limits, type Millis, millis, ShoalError } from '@shoal/kernel'
import type { Answer } from '../core/answer.ts'
import { faultOfCount } from '../core/check.ts'
import { isWrite, type Operation } from '../core/operation.ts'
import { errorOf } from '../errors.ts'
import type { CallOptions, Consistency } from '../options.ts'
import type { Calls, Reply } from './calls.ts'
import type { RequestIds } from './ids.ts'
import { refuse } from './make-operation.ts'
import type { Sender } from './senders.ts'
import type { SessionGate } from './session-gate.ts'

export interface CallerParts {
  readonly calls: Calls
  readonly ids: RequestIds
  readonly single: Sender
  readonly batching: Sender
}

export interface CallerDefaults {
  readonly timeout: Millis
  readonly consistency: Consistency | undefined
}

/** What distinguishes one face from another. */
export interface CallerMode {
  readonly batched: boolean
  readonly session: SessionGate | undefined
}

export class Caller {
  readonly parts: CallerParts
  readonly defaults: CallerDefaults
  readonly mode: CallerMode

  constructor(parts: CallerParts, defaults: CallerDefaults, mode: CallerMode) {
    this.parts = parts
    this.defaults = defaults
    this.mode = mode
  }

  /** The same client, called another way. */
  with(change: Partial<CallerMode>): Caller {
    return new Caller(this.parts, this.defaults, { ...this.mode, ...change })
  }

  nextId(): string {
    return this.parts.ids.next()
  }

  /** The caller's options with this client's defaults filled in. */
  fill<O extends CallOptions>(options: O | undefined): O {
    const { consistency } = this.defaults
    const given = options ?? ({} as O)
    return consistency === undefined || given.consistency !== undefined
      ? given
      : { ...given, consistency }
  }

  timeoutOf({ timeoutMs }: CallOptions): Millis {
    if (timeoutMs === undefined) return this.defaults.timeout
    refuse(faultOfCount('timeoutMs', timeoutMs, { min: 1, max: limits.timeoutMax }))
    return millis(timeoutMs)
  }

  run(operation: Operation, options: CallOptions): Promise<Reply> {
    const { calls, single, batching } = this.parts
    return calls.run(operation, {
      timeout: this.timeoutOf(options),
      signal: options.signal,
      session: this.mode.session,
      sender: this.mode.batched ? batching : single,
    })
  }

  /** Makes the call and reads its answer. */
  async ask<T>(
    operation: Operation,
    options: CallOptions,
    read: (answer: Answer, node: string) => T,
  ): Promise<T> {
    const { answer, node } = await this.run(operation, options)
    try {
      return read(answer, node)
    } catch (error) {
      if (!(error instanceof ShoalError)) throw error
      throw errorOf(error, { node, write: isWrite(operation) })
    }
  }
}
