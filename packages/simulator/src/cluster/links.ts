import { millis, type NodeId } from '@shoal/kernel'
import type { Faults, MemoryNetwork } from '@shoal/transport'
import type { LinkFaults } from '../plan/plan.ts'

/** The lines between the machines, with faults that overlap and are taken back one by one. */
export class Links {
  readonly #network: MemoryNetwork
  readonly #ids: readonly NodeId[]
  readonly #base: Faults
  /** How many faults hold back what goes from one to another. */
  readonly #cuts = new Map<string, number>()
  readonly #bad = new Map<string, Partial<LinkFaults>[]>()

  constructor(network: MemoryNetwork, ids: readonly NodeId[], base: Faults) {
    this.#network = network
    this.#ids = ids
    this.#base = base
  }

  cut(from: number, to: number): void {
    const name = `${from} ${to}`
    const cuts = this.#cuts.get(name) ?? 0
    this.#cuts.set(name, cuts + 1)
    if (cuts === 0) this.#network.cut(this.#id(from), this.#id(to))
  }

  mend(from: number, to: number): void {
    const name = `${from} ${to}`
    const cuts = this.#cuts.get(name) ?? 0
    if (cuts === 0) return
    this.#cuts.set(name, cuts - 1)
    if (cuts === 1) this.#network.heal(this.#id(from), this.#id(to))
  }

  sever(one: number, other: number): void {
    this.#network.sever(this.#id(one), this.#id(other))
  }

  spoil(from: number, to: number, faults: Partial<LinkFaults>): void {
    const name = `${from} ${to}`
    this.#bad.set(name, [...(this.#bad.get(name) ?? []), faults])
    this.#apply(from, to)
  }

  restore(from: number, to: number, faults: Partial<LinkFaults>): void {
    const name = `${from} ${to}`
    this.#bad.set(
      name,
      (this.#bad.get(name) ?? []).filter((each) => each !== faults),
    )
    this.#apply(from, to)
  }

  /** Of two faults that say different things the later one holds. */
  #apply(from: number, to: number): void {
    const merged: Faults = Object.assign({}, this.#base, ...(this.#bad.get(`${from} ${to}`) ?? []))
    const delayMax = millis(Math.max(merged.delayMin, merged.delayMax))
    this.#network.setFaults({ ...merged, delayMax }, this.#id(from), this.#id(to))
  }

  #id(index: number): NodeId {
    return this.#ids[index] as NodeId
  }
}
