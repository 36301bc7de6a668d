import { addTo, type Bits, highestBit, noBits, takeFrom, union, within, without } from './bits.ts'
import { actorAt, counterAt, eachEntry, readVersion } from './decode.ts'
import { describe, dotName, type Minted, nameOf } from './minted.ts'

/** What a clock says, in writes. */
export interface Meaning {
  readonly events: Bits
  /** Those that none of the others had seen: what should be live. */
  readonly maximal: readonly Minted[]
  /** Why no honest copy has this clock. */
  readonly fault: Fault | undefined
}

export interface Fault {
  readonly invariant: string
  readonly text: string
  /** Something in it is not known to have been minted; a moment later it may be. */
  readonly unknown?: boolean
}

/** What a stored version says. */
export interface State {
  readonly events: Bits
  readonly live: readonly Minted[]
  readonly fault: Fault | undefined
}

export const noState: State = { events: noBits, live: [], fault: undefined }

interface ActorLine {
  readonly counters: number[]
  /** `prefixes[i]`: the first i + 1 writes of the actor. */
  readonly prefixes: Bits[]
  readonly events: Minted[]
}

/**
 * The writes of one key and what each of them had truly seen, kept as plain sets. Clocks are what
 * is on trial, so nothing here is computed with them: a clock is only asked which of the writes
 * that exist it names.
 */
export class KeyHistory {
  readonly events: Minted[] = []
  readonly #byActor = new Map<number, ActorLine>()
  readonly #meanings = new Map<string, Meaning>()
  readonly #states = new Map<string, State>()

  /**
   * @param past  what its author had seen; writes that those had seen are added
   * @returns     undefined when its actor has written this or a later dot of the key before
   */
  mint(minted: Omit<Minted, 'index' | 'history' | 'block' | 'acknowledged'>): Minted | undefined {
    const { actor, counter } = minted.header
    const last = this.#byActor.get(actor)?.counters.at(-1) ?? 0
    if (counter <= last) return undefined
    const index = this.events.length
    const event: Minted = {
      ...minted,
      index,
      history: union(minted.past, single(index)),
      block: undefined,
      acknowledged: undefined,
    }
    this.events.push(event)
    const line = this.#lineOf(actor)
    const before = line.prefixes.at(-1) ?? noBits
    line.counters.push(counter)
    line.events.push(event)
    line.prefixes.push(union(before, single(index)))
    return event
  }

  find(actor: number, counter: number): Minted | undefined {
    const line = this.#byActor.get(actor)
    if (!line) return undefined
    const upTo = countUpTo(line.counters, counter)
    return line.counters[upTo - 1] === counter ? line.events[upTo - 1] : undefined
  }

  /** The closure of a set: with each write what its author had seen. */
  closure(events: Bits): Bits {
    let result = events
    for (const { history } of this.#maximalOf(events)) result = union(result, history)
    return result
  }

  /**
   * What a clock names. Asked a second time it costs a look-up.
   *
   * @param text  its bytes as latin-1, where they are at hand
   */
  meaning(clock: Buffer, text = clock.toString('latin1')): Meaning {
    const known = this.#meanings.get(text)
    if (known) return known
    const meaning = this.#interpret(clock)
    if (!meaning.fault?.unknown) this.#meanings.set(text, meaning)
    return meaning
  }

  /** What a version holds, and whether an honest replica could hold it. */
  state(version: Buffer): State {
    const text = version.toString('latin1')
    const known = this.#states.get(text)
    if (known) return known
    const state = this.#judge(version, text)
    if (!state.fault?.unknown) this.#states.set(text, state)
    return state
  }

  /** Those of a set that none of the others had seen. */
  maximal(events: Bits): readonly Minted[] {
    return this.#maximalOf(events)
  }

  #maximalOf(events: Bits): Minted[] {
    const maximal: Minted[] = []
    const left = new Uint32Array(events)
    // A past has only earlier writes, so the last one left was seen by none of the others.
    for (let last = highestBit(left); last >= 0; last = highestBit(left, last)) {
      const event = this.events[last] as Minted
      maximal.push(event)
      takeFrom(left, event.history)
    }
    return maximal
  }

  #interpret(clock: Buffer): Meaning {
    const events = new Uint32Array((this.events.length + 31) >>> 5)
    let fault: Fault | undefined
    eachEntry(clock, (actor, counter, isBase) => {
      const event = this.find(actor, counter)
      if (!event) {
        // A base is only ever raised to a write of this very key.
        const what = `${isBase ? 'base' : 'event'} ${dotName(actor, counter)}`
        const text = `its clock has the ${what}, which nobody minted on this key`
        fault ??= { invariant: 'V3', text, unknown: true }
      }
      if (isBase) addTo(events, this.#upTo(actor, counter))
      else if (event) addTo(events, single(event.index))
    })
    const maximal = this.#maximalOf(events)
    const open = maximal.find(({ history }) => !within(history, events))
    if (open && !fault) {
      const missing = without(open.history, events)
      const text = `its clock knows ${nameOf(open)}, not ${this.names(missing)} that this had seen`
      fault = { invariant: 'V5', text }
    }
    return { events, maximal, fault }
  }

  #judge(bytes: Buffer, text: string): State {
    const version = readVersion(bytes)
    if (!version) {
      return { ...noState, fault: { invariant: 'V2', text: 'it is no version' } }
    }
    const { events, maximal, fault } = this.meaning(
      version.clock,
      text.slice(0, version.clock.length),
    )
    const live: Minted[] = []
    for (const header of version.headers) {
      const actor = actorAt(header, 0)
      const counter = counterAt(header, 8)
      const event = this.find(actor, counter)
      if (!event) {
        const text = `${dotName(actor, counter)} is live in it, which nobody minted`
        return { events, live, fault: { invariant: 'V1', text, unknown: true } }
      }
      live.push(event)
    }
    return { events, live, fault: fault ?? compareLive(live, maximal) }
  }

  /** Some writes of a set, for people. */
  names(events: Bits): string {
    const list = this.#maximalOf(events).map(nameOf)
    return list.length > 4 ? `${list.slice(0, 4).join(', ')} and more` : list.join(', ')
  }

  /** Writes of an actor up to a counter. */
  #upTo(actor: number, counter: number): Bits {
    const line = this.#byActor.get(actor)
    const count = line ? countUpTo(line.counters, counter) : 0
    return line?.prefixes[count - 1] ?? noBits
  }

  #lineOf(actor: number): ActorLine {
    let line = this.#byActor.get(actor)
    if (!line) {
      line = { counters: [], prefixes: [], events: [] }
      this.#byActor.set(actor, line)
    }
    return line
  }
}

/** Live must be what nothing else had seen: not less (I3), not more (I6). */
function compareLive(live: readonly Minted[], maximal: readonly Minted[]): Fault | undefined {
  const lost = maximal.find((event) => !live.includes(event))
  if (lost) {
    const text = `it lacks ${describe(lost)}, which its clock knows and nothing in it had seen`
    return { invariant: 'I3', text }
  }
  const surplus = live.find((event) => !maximal.includes(event))
  if (surplus) {
    const over = maximal.find(({ history }) => within(surplus.history, history))
    const by = over ? describe(over) : 'another of its writes'
    return { invariant: 'I6', text: `it holds ${describe(surplus)}, which ${by} had seen` }
  }
  if (live.length === maximal.length) return undefined
  return { invariant: 'V2', text: 'it holds one write twice' }
}

const single = (index: number): Bits => {
  const set = new Uint32Array((index >>> 5) + 1)
  set[index >>> 5] = 1 << (index & 31)
  return set
}

/** How many of these ascending numbers are at most `limit`. */
function countUpTo(ascending: readonly number[], limit: number): number {
  let low = 0
  let high = ascending.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((ascending[middle] as number) <= limit) low = middle + 1
    else high = middle
  }
  return low
}
