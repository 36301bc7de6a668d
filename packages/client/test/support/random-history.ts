/** A driver of the call machine that lets anything happen to the tries that run. */
import { millis } from '@shoal/kernel'
import fc from 'fast-check'
import {
  type CallEffect,
  type CallEvent,
  type CallState,
  type Facts,
  newCall,
  stepCall,
  wakeAt,
} from '../../src/core/call.ts'
import type { Failure } from '../../src/core/failure.ts'
import { facts, lost, plan, refusal, silent, unsent } from './facts.ts'

/** One thing that happens: to which try, after how long, and what the driver knows then. */
interface Draw {
  readonly what: number
  readonly pick: number
  readonly delay: number
  readonly usable: number
  readonly tokens: number
}

export interface HistorySetting {
  readonly write: boolean
  readonly hedged: boolean
  readonly triesMax: number
}

export interface History {
  readonly settled: readonly CallEffect[]
  readonly sent: readonly Extract<CallEffect, { kind: 'send' }>[]
  /** Whether a try of this call was lost, broken off or answered with an unknown outcome. */
  readonly doubted: boolean
  readonly settledAt: number
  /** Tries that still ran when the call had settled. */
  readonly left: number
}

export const draws = fc.array(
  fc.record({
    what: fc.nat(9),
    pick: fc.nat(7),
    delay: fc.nat(3_000),
    usable: fc.nat(7),
    tokens: fc.nat(3),
  }),
  { maxLength: 40 },
)

export const settings = fc.record({
  write: fc.boolean(),
  hedged: fc.boolean(),
  triesMax: fc.integer({ min: 1, max: 6 }),
})

const nothingHappens: Draw = { what: 9, pick: 0, delay: 10_000, usable: 7, tokens: 3 }

export function replay(chosen: readonly Draw[], setting: HistorySetting): History {
  const driver = new Driver(setting)
  // After all that was drawn time just passes, so that every call comes to its end.
  for (const draw of [...chosen, ...Array.from({ length: 20 }, () => nothingHappens)]) {
    driver.next(draw)
  }
  return driver.history
}

class Driver {
  readonly #write: boolean
  readonly #running = new Set<string>()
  readonly #settled: CallEffect[] = []
  readonly #sent: Extract<CallEffect, { kind: 'send' }>[] = []
  #state: CallState
  #now = 0
  #doubted = false
  #settledAt = 0

  constructor({ write, hedged, triesMax }: HistorySetting) {
    this.#write = write
    const hedgeAfter = hedged && !write ? millis(50) : undefined
    this.#state = newCall(plan({ write, triesMax, hedgeAfter }))
    this.#feed({ kind: 'begun', facts: this.#know(nothingHappens) })
  }

  get history(): History {
    return {
      settled: this.#settled,
      sent: this.#sent,
      doubted: this.#doubted,
      settledAt: this.#settledAt,
      left: this.#running.size,
    }
  }

  next(draw: Draw): void {
    if (this.#state.kind === 'settled') return
    const node = [...this.#running][draw.pick % Math.max(1, this.#running.size)]
    if (node === undefined || draw.what > 7) return this.#wait(draw)
    this.#now = Math.min(this.#now + draw.delay / 10, 4_999)
    if (draw.what === 0) return this.#feed({ kind: 'answered', node })
    const failure = this.#failureOf(draw.what, node)
    this.#running.delete(node)
    this.#doubted ||= failure.outcome === 'unknown'
    this.#feed({ kind: 'failed', node, failure, facts: this.#know(draw) })
  }

  #wait(draw: Draw): void {
    const wake = wakeAt(this.#state) ?? this.#now
    this.#now = Math.max(this.#now, Math.min(this.#now + draw.delay, wake))
    this.#feed({ kind: 'woken', facts: this.#know(draw) })
  }

  #failureOf(what: number, node: string): Failure {
    const write = this.#write
    const failures = [
      unsent(node, write),
      lost(node, write),
      silent(node, write),
      refusal('SHOAL_OVERLOADED', { node, write }),
      refusal('SHOAL_QUORUM_TIMEOUT', { node, write }),
      refusal('SHOAL_RATE_LIMITED', { node, write, retryAfter: '1' }),
      refusal('SHOAL_PRECONDITION_FAILED', { node, write }),
    ]
    return failures[what - 1]!
  }

  #know({ usable, tokens, pick }: Draw): Facts {
    return facts({
      now: millis(this.#now),
      candidates: ['a', 'b', 'c'].map((node, index) => ({
        node,
        usable: (usable & (1 << index)) !== 0,
      })),
      retryAllowed: tokens !== 0,
      hedgeAllowed: tokens !== 1,
      sent: this.#running.size > 0,
      chance: pick / 8,
    })
  }

  #feed(event: CallEvent): void {
    const step = stepCall(this.#state, event)
    this.#state = step.state
    for (const effect of step.effects) this.#perform(effect)
  }

  #perform(effect: CallEffect): void {
    switch (effect.kind) {
      case 'send':
        if (this.#running.has(effect.node)) throw new Error('two tries at one node')
        this.#running.add(effect.node)
        this.#sent.push(effect)
        return
      case 'cancel':
      case 'abandon':
        if (!this.#running.delete(effect.node)) throw new Error('ends a try that does not run')
        this.#doubted ||= effect.kind === 'cancel'
        return
      default:
        if (effect.kind === 'succeed') this.#running.delete(effect.node)
        this.#settled.push(effect)
        this.#settledAt = this.#now
    }
  }
}
