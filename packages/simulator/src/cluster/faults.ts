import { type Random, type Timer, unreachable } from '@shoal/kernel'
import { eventKinds } from '../kernel/scheduler.ts'
import type {
  ClockFault,
  CrashFault,
  DiskFault,
  FaultEvent,
  LinkFault,
  PartitionFault,
  RollbackFault,
  StopFault,
  WipeFault,
} from '../plan/plan.ts'
import { chooseRollback, mendDisk, strikeDisk } from './disk-faults.ts'
import type { Links } from './links.ts'
import type { Machine } from './machine.ts'
import { countOne, type World } from './world.ts'

/** What a fault has done: how to take it back, and when. Undefined when it hit nothing. */
type Effect = { readonly lasts?: number | undefined; readonly undo?: () => void } | undefined

const HIT: Effect = {}

const HOLES_NEED = 3
const HOLES_LOOK = 1
const HOLES_WAIT_MAX = 500

/** Makes faults happen, and ends them. Kinds to come (members that join and leave) join here. */
export class Faults {
  readonly #world: World
  readonly #machines: readonly Machine[]
  readonly #links: Links
  readonly #random: Random
  readonly #active = new Map<FaultEvent, { readonly end: Timer; readonly undo: () => void }>()
  /** Of each machine: faults that keep it standing still, or slow. */
  readonly #pauses = new Map<Machine, number>()
  readonly #slow = new Map<Machine, number[]>()

  /** How often all faults were ended. */
  #ends = 0

  constructor(world: World, machines: readonly Machine[], links: Links) {
    this.#world = world
    this.#machines = machines
    this.#links = links
    this.#random = world.dice.stream('faults')
  }

  begin(fault: FaultEvent): void {
    const { figures, watchers, chain } = this.#world
    chain.mix(fault.at)
    // Told before it has its effects, so that those who watch know what caused them.
    watchers.tell('faultBegan', fault)
    const effect = this.#strike(fault)
    countOne(figures.faults, effect ? nameOf(fault) : `${nameOf(fault)} that hit nothing`)
    const { lasts, undo } = effect ?? {}
    if (lasts === undefined || undo === undefined) return
    const end = this.#later(lasts, () => this.#end(fault))
    this.#active.set(fault, { end, undo })
  }

  endAll(): void {
    this.#ends++
    for (const fault of [...this.#active.keys()]) this.#end(fault)
    for (const machine of this.#machines) {
      mendDisk(machine)
      machine.clock.correct()
      machine.diesBooting = false
      machine.cutAfterStart = undefined
      machine.cutAfterWrite = undefined
    }
  }

  #end(fault: FaultEvent): void {
    const active = this.#active.get(fault)
    if (!active) return
    this.#active.delete(fault)
    active.end.cancel()
    active.undo()
    this.#world.watchers.tell('faultEnded', fault)
  }

  #strike(fault: FaultEvent): Effect {
    switch (fault.kind) {
      case 'crash':
        return fault.unsynced === 'holes' ? this.#crashWithHoles(fault) : this.#crash(fault)
      case 'wipe':
      case 'rollback':
        return this.#crash(fault)
      case 'stop':
        return this.#stop(fault)
      case 'pause':
        return this.#pause(this.#machine(fault.node), fault.lasts)
      case 'slow':
        return this.#slowDown(this.#machine(fault.node), fault.factor, fault.lasts)
      case 'link':
        return this.#spoil(fault)
      case 'partition':
        return this.#part(fault)
      case 'sever':
        this.#links.sever(fault.one, fault.other)
        return HIT
      case 'clog':
        this.#links.cut(fault.from, fault.to)
        return { lasts: fault.lasts, undo: () => this.#links.mend(fault.from, fault.to) }
      case 'disk':
        return this.#spoilDisk(fault)
      case 'clock':
        return this.#setClock(this.#machine(fault.node), fault)
      default:
        return unreachable(fault)
    }
  }

  #machine(index: number): Machine {
    return this.#machines[index] as Machine
  }

  /** A hole needs a batch that is lost before one that is kept: it waits a while for some. */
  #crashWithHoles(fault: CrashFault): Effect {
    const machine = this.#machine(fault.node)
    if (!machine.process) return undefined
    const { scheduler } = this.#world
    const until = scheduler.now + HOLES_WAIT_MAX
    const ends = this.#ends
    const look = (): void => {
      if (this.#ends !== ends) return
      const isReady = machine.disk.unsyncedBatches >= HOLES_NEED || scheduler.now >= until
      if (isReady) this.#crash(fault)
      else this.#later(HOLES_LOOK, look)
    }
    look()
    return HIT
  }

  #crash(fault: CrashFault | WipeFault | RollbackFault): Effect {
    const machine = this.#machine(fault.node)
    const isCrash = fault.kind === 'crash'
    const unsynced = isCrash ? fault.unsynced : 'lost'
    // A process that is killed leaves its machine: the system keeps what was written and says to
    // the peers that nobody listens. A machine without power does neither.
    const killed = unsynced === 'kept'
    const hit = machine.crash(
      { keepUnsynced: keepOf[unsynced], holes: unsynced === 'holes' },
      { silently: !killed },
    )
    // Nothing to crash is nothing to do; a disk is exchanged also while its node is down.
    if (!hit && isCrash) return undefined
    if (fault.kind === 'wipe') machine.wipe()
    if (fault.kind === 'rollback') this.#rollBack(machine)
    if (isCrash && fault.during === 'boot') machine.diesBooting = true
    machine.bootIn(fault.downFor)
    return HIT
  }

  #rollBack(machine: Machine): void {
    machine.disk.rollBack(chooseRollback(machine, this.#random))
    this.#world.watchers.tell('rolledBack', machine)
  }

  #stop({ node, downFor, cutAfter, cutFrom }: StopFault): Effect {
    const machine = this.#machine(node)
    if (!machine.stop()) return undefined
    machine.bootAfterStop(downFor)
    if (cutFrom === undefined) machine.cutAfterStart = cutAfter
    else machine.cutAfterWrite = cutAfter
    return HIT
  }

  #pause(machine: Machine, lasts: number): Effect {
    if (!machine.pause()) return undefined
    this.#pauses.set(machine, (this.#pauses.get(machine) ?? 0) + 1)
    const undo = (): void => {
      const left = (this.#pauses.get(machine) ?? 1) - 1
      this.#pauses.set(machine, left)
      if (left === 0) machine.resume()
    }
    return { lasts, undo }
  }

  #slowDown(machine: Machine, factor: number, lasts: number): Effect {
    const set = (factors: number[]): void => {
      this.#slow.set(machine, factors)
      machine.slowness = Math.max(1, ...factors)
    }
    set([...(this.#slow.get(machine) ?? []), factor])
    const undo = (): void => {
      const factors = [...(this.#slow.get(machine) ?? [])]
      factors.splice(factors.indexOf(factor), 1)
      set(factors)
    }
    return { lasts, undo }
  }

  #spoil({ from, to, faults, lasts }: LinkFault): Effect {
    const pairs = this.#pairs(this.#named(from), this.#named(to))
    for (const [one, other] of pairs) this.#links.spoil(one, other, faults)
    const undo = (): void => {
      for (const [one, other] of pairs) this.#links.restore(one, other, faults)
    }
    return { lasts, undo }
  }

  #part({ side, direction, bridge, lasts, flaps = 0 }: PartitionFault): Effect {
    const hears = (index: number): boolean => index === bridge
    const inside = side.filter((index) => !hears(index))
    const outside = this.#named('all').filter((index) => !side.includes(index) && !hears(index))
    const pairs = [
      ...(direction === 'in' ? [] : this.#pairs(inside, outside)),
      ...(direction === 'out' ? [] : this.#pairs(outside, inside)),
    ]
    let parted = false
    const set = (apart: boolean): void => {
      if (apart === parted) return
      parted = apart
      for (const [from, to] of pairs) {
        if (apart) this.#links.cut(from, to)
        else this.#links.mend(from, to)
      }
    }
    set(true)
    const stretch = lasts / (2 * flaps + 1)
    const turns = Array.from({ length: 2 * flaps }, (_none, turn) =>
      this.#later(stretch * (turn + 1), () => set(turn % 2 === 1)),
    )
    const undo = (): void => {
      for (const turn of turns) turn.cancel()
      set(false)
    }
    return { lasts, undo }
  }

  #spoilDisk(fault: DiskFault): Effect {
    const machine = this.#machine(fault.node)
    const effect = strikeDisk(machine, fault, this.#random)
    for (const damage of effect?.damage ?? []) {
      this.#world.watchers.tell('damaged', machine, damage)
    }
    return effect?.undo ? { lasts: fault.lasts ?? 0, undo: effect.undo } : effect && HIT
  }

  #setClock({ clock }: Machine, { change, amount, lasts }: ClockFault): Effect {
    switch (change) {
      case 'skew':
      case 'jump':
        clock.shiftWall(amount)
        return { lasts, undo: () => clock.shiftWall(-amount) }
      case 'drift':
        clock.setRate(1 + amount / 1_000_000)
        return { lasts, undo: () => clock.setRate(1) }
      case 'freeze':
        clock.freezeWall()
        return { lasts, undo: () => clock.thawWall() }
      default:
        return unreachable(change)
    }
  }

  #named(which: number | 'all'): number[] {
    return which === 'all' ? this.#machines.map(({ index }) => index) : [which]
  }

  #pairs(from: readonly number[], to: readonly number[]): [number, number][] {
    return from.flatMap((one) =>
      to.filter((other) => other !== one).map((other): [number, number] => [one, other]),
    )
  }

  #later(delay: number, work: () => void): Timer {
    return this.#world.scheduler.add(delay, eventKinds.outside, undefined, work)
  }
}

const keepOf = { lost: 0, kept: 'all', random: 'random', holes: 0 } as const

function nameOf(fault: FaultEvent): string {
  if (fault.kind === 'disk') return `disk ${fault.fault}`
  return fault.kind === 'clock' ? `clock ${fault.change}` : fault.kind
}
