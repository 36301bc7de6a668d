import type { Coordinator, ListAnswer, ReadAnswer, WriteAnswer } from '@shoal/coordinator'
import { invariant, millis, type Random, ShoalError, type Timer } from '@shoal/kernel'
import { eventKinds } from '../kernel/scheduler.ts'
import type { Machine } from './machine.ts'
import type { ClientEnd, ClientRequest } from './sim-node.ts'
import type { World } from './world.ts'

type Result = ReadAnswer | WriteAnswer | ListAnswer | ShoalError

/** How much longer a client waits than it lets its request take. */
const PATIENCE = 1_000
/** The longest way between a client and a node. */
const WAY_MAX = 1

/**
 * What lies between clients and nodes. A request that has left is done even when its client has
 * stopped waiting; an answer that has left arrives even when its node has died.
 */
export class Calls {
  readonly #world: World
  readonly #random: Random

  constructor(world: World) {
    this.#world = world
    this.#random = world.dice.stream('ways of clients')
  }

  call(machine: Machine, request: ClientRequest, done: (end: ClientEnd) => void): void {
    const { process } = machine
    const call = new Call(this, machine, request, done)
    if (machine.state !== 'up' || !process) {
      this.onTheWay(() => call.end({ kind: 'unsent' }))
      return
    }
    machine.calls.add(call)
    process.wire.after(millis(this.#way()), () => call.arrive())
    const patience = request.request.timeout + PATIENCE
    call.waiting = this.#later(patience, () => call.end({ kind: 'lost', because: 'silence' }))
  }

  /** From a node to a client. */
  onTheWay(arrive: () => void): void {
    this.#later(this.#way(), arrive)
  }

  #way(): number {
    return (this.#random.below(1_024) / 1_024) * WAY_MAX
  }

  #later(delay: number, work: () => void): Timer {
    return this.#world.scheduler.add(delay, eventKinds.outside, undefined, work)
  }
}

/** One request of one client at one node. */
export class Call {
  waiting: Timer | undefined
  readonly #calls: Calls
  readonly #machine: Machine
  readonly #request: ClientRequest
  readonly #done: (end: ClientEnd) => void
  /** The node has said the last word, or is gone. */
  #answered = false
  #ended = false

  constructor(
    calls: Calls,
    machine: Machine,
    request: ClientRequest,
    done: (end: ClientEnd) => void,
  ) {
    this.#calls = calls
    this.#machine = machine
    this.#request = request
    this.#done = done
  }

  /** It reaches the process to which it was sent. */
  arrive(): void {
    const { state, coordinator, calls } = this.#machine
    if (state === 'up' && coordinator) return this.#serve(coordinator)
    calls.delete(this)
    this.#answered = true
    this.#calls.onTheWay(() => this.end({ kind: 'unsent' }))
  }

  /** The process is gone. A machine that is gone too does not even say so. */
  abandon({ silently }: { readonly silently: boolean }): void {
    this.#answered = true
    if (!silently) this.#calls.onTheWay(() => this.end({ kind: 'lost', because: 'death' }))
  }

  /** What the client hears first is what it goes by. */
  end(end: ClientEnd): void {
    if (this.#ended) return
    this.#ended = true
    this.waiting?.cancel()
    this.#done(end)
  }

  #serve(coordinator: Coordinator): void {
    const request = this.#request
    const { life } = this.#machine
    const answer = (result: Result): void => {
      // The dead may still speak in the event in which they died. Nobody hears it.
      if (this.#machine.life === life && this.#machine.calls.has(this)) return this.#answer(result)
      invariant(this.#machine.life !== life || !this.#machine.process, 'a request ends once (O2)')
    }
    switch (request.kind) {
      case 'read':
        return coordinator.read(request.request, answer)
      case 'write':
        return coordinator.write(request.request, answer)
      case 'list':
        void coordinator.list(request.request).then(answer, (error: unknown) => {
          if (!(error instanceof ShoalError)) throw error
          answer(error)
        })
    }
  }

  #answer(result: Result): void {
    invariant(!this.#answered, 'a request ends once (O2)')
    this.#answered = true
    this.#machine.calls.delete(this)
    const end: ClientEnd =
      result instanceof ShoalError
        ? { kind: 'refused', error: result }
        : { kind: 'answer', answer: result }
    this.#calls.onTheWay(() => this.end(end))
  }
}
