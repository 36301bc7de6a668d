import type { SimNode } from '../cluster/sim-cluster.ts'
import type { FaultEvent } from '../plan/plan.ts'
import type { World } from './world.ts'

/** Who is silent for so long is known to be, whatever else is wrong with the network. */
const AVOIDED_AFTER = 45_000
/** And is taken for dead by somebody who was well all the time. */
const DEAD_AFTER = 75_000
/** Nodes that can talk to each other know so. */
const WELL_AFTER = 20_000

/**
 * Whom nodes take to be alive. Being wrong for a while is allowed and happens: a suspicion must
 * refuse nothing, and that is checked where requests end. What is checked here is that nobody is
 * wrong for long.
 */
export class Standings {
  readonly #world: World
  /** Since when a node has said nothing to anybody; undefined while it may. */
  readonly #silent: (number | undefined)[]
  /** Since when nothing ails it. */
  readonly #well: (number | undefined)[]
  /** Faults that hold up its clock or its turns, now. */
  readonly #disturbing: number[]

  constructor(world: World) {
    this.#world = world
    this.#silent = world.nodes.map(() => undefined)
    this.#well = world.nodes.map(() => undefined)
    this.#disturbing = world.nodes.map(() => 0)
  }

  /** It says something to everybody, however soon it is gone again, and has to learn who lives. */
  booted({ index }: SimNode): void {
    this.#silent[index] = undefined
    this.#well[index] = undefined
  }

  faultBegan(fault: FaultEvent): void {
    const node = disturbed(fault)
    if (node !== undefined) this.#disturbing[node] = (this.#disturbing[node] ?? 0) + 1
  }

  faultEnded(fault: FaultEvent): void {
    const node = disturbed(fault)
    if (node !== undefined) {
      this.#disturbing[node] = Math.max(0, (this.#disturbing[node] ?? 0) - 1)
    }
  }

  healed(): void {
    this.#disturbing.fill(0)
  }

  /** Called every now and then. */
  sample(): void {
    const now = this.#world.now()
    for (const { index, state, paused } of this.#world.nodes) {
      const silent = state === 'down' || paused
      this.#silent[index] = silent ? (this.#silent[index] ?? now) : undefined
      const well = state === 'up' && !paused && this.#disturbing[index] === 0
      this.#well[index] = well ? (this.#well[index] ?? now) : undefined
    }
    for (const node of this.#world.nodes) this.#look(node, now)
  }

  /** A node that is down, while nothing else is wrong, is soon turned to last. */
  avoided(silent: number): void {
    this.#checkGone(silent, 'G5', ({ id }, membership) => !membership.isUsable(id))
  }

  /** And later dead to everybody. */
  givenUp(silent: number): void {
    this.#checkGone(silent, 'G3', ({ id }, membership) =>
      ['dead', 'left'].includes(membership.state(id) ?? ''),
    )
  }

  #checkGone(
    silent: number,
    rule: string,
    isKnown: (gone: SimNode, membership: NonNullable<SimNode['membership']>) => boolean,
  ): void {
    const gone = this.#world.nodes[silent] as SimNode
    if (gone.state !== 'down') return
    for (const { index, state, membership } of this.#world.nodes) {
      if (index === silent || state !== 'up' || !membership) continue
      this.#world.findings.checked('nodes known to be gone')
      if (isKnown(gone, membership)) continue
      const text = `node ${index} still takes node ${silent} for ${membership.state(gone.id)}`
      this.#world.findings.add(rule, `${text}: it is down`)
    }
  }

  /** After a quiet time without faults: everybody knows that everybody lives (G9). */
  final(): void {
    const now = this.#world.now()
    const isWell = ({ index }: SimNode): boolean => now - (this.#well[index] ?? now) >= WELL_AFTER
    for (const node of this.#world.nodes.filter(isWell)) {
      for (const other of this.#world.nodes.filter(isWell)) {
        if (other === node || !node.membership) continue
        this.#world.findings.checked('nodes known to live')
        if (node.membership.isUsable(other.id)) continue
        const taken = node.membership.state(other.id)
        const text = `node ${node.index} takes node ${other.index} for ${taken}: it lives`
        this.#world.findings.add('G9', text)
      }
    }
  }

  #look({ index, membership, coordinator, state }: SimNode, now: number): void {
    const well = this.#well[index]
    if (!membership || !coordinator || state !== 'up') return
    for (const other of this.#world.nodes) {
      if (other.index === index) continue
      const usable = membership.isUsable(other.id)
      const add = (rule: string, what: string): void =>
        this.#world.findings.add(rule, `node ${index} ${what} node ${other.index}`)
      this.#world.findings.checked('standings')
      if (usable && !coordinator.desk.peers.isUp(other.id)) {
        add('G5', 'turns first to a node whose channel is down:')
      }
      const silent = this.#silent[other.index]
      if (well === undefined || silent === undefined) continue
      const long = now - Math.max(well, silent)
      if (usable && long > AVOIDED_AFTER) add('G5', 'still turns first to a silent node:')
      const isGone = ['dead', 'left'].includes(membership.state(other.id) ?? '')
      if (!isGone && long > DEAD_AFTER) add('G3', 'still expects an answer of a silent node:')
    }
  }
}

function disturbed(fault: FaultEvent): number | undefined {
  return fault.kind === 'pause' || fault.kind === 'slow' || fault.kind === 'clock'
    ? fault.node
    : undefined
}
