import { millis, type Random, type Timer } from '@shoal/kernel'
import { eventKinds } from '../kernel/scheduler.ts'
import { Call, type WayBack } from './call.ts'
import type { Machine } from './machine.ts'
import type { ClientEnd, ClientRequest } from './sim-node.ts'
import type { World } from './world.ts'

/** How much longer a client waits than it lets its request take. */
const PATIENCE = 1_000
/** The longest way between a client and a node. */
const WAY_MAX = 1

/**
 * What lies between clients and nodes. A request that has left is done even when its client has
 * stopped waiting; an answer that has left arrives even when its node has died.
 */
export class Calls implements WayBack {
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
