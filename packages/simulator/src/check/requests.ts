import { limits, type ShoalError } from '@shoal/kernel'
import type { SimNode } from '../cluster/sim-cluster.ts'
import type { FaultEvent } from '../plan/plan.ts'
import type { World } from './world.ts'

/** A request that a coordinator took. */
export interface OpenRequest {
  readonly what: string
  readonly node: number
  readonly life: number
  readonly at: number
  readonly timeout: number
  ended: boolean
}

/** How late the end of a request may be noticed (I13). */
const GRACE_MS = 1_000

/** I13: every request ends once and in time, and nothing grows beyond its limit. */
export class Requests {
  readonly #world: World
  readonly #open: Set<OpenRequest>[]
  /** Faults that hold up a node's clock or its turns, now. */
  readonly #disturbing: number[]
  /** When the last of them ended. */
  readonly #disturbedUntil: number[]

  constructor(world: World) {
    this.#world = world
    this.#open = world.nodes.map(() => new Set())
    this.#disturbing = world.nodes.map(() => 0)
    this.#disturbedUntil = world.nodes.map(() => -1)
  }

  begin({ index, life }: SimNode, what: string, timeout: number): OpenRequest {
    const request: OpenRequest = {
      what,
      node: index,
      life,
      at: this.#world.now(),
      timeout,
      ended: false,
    }
    this.#open[index]?.add(request)
    return request
  }

  ended(node: SimNode, request: OpenRequest): void {
    const { findings } = this.#world
    findings.checked('requests ended')
    if (request.ended) findings.add('I13', `${describe(request)} ended twice`)
    request.ended = true
    this.#open[request.node]?.delete(request)
    this.#checkTime(request)
    this.#checkQueues(node)
  }

  /** Q7: what can be reached refuses nothing, whatever is thought of it. */
  refused(id: string, { code, details }: ShoalError): void {
    if (code !== 'SHOAL_QUORUM_UNREACHABLE' || typeof details.wanted !== 'number') return
    const reachable = details.replicas?.filter(({ state }) => state === 'reachable') ?? []
    this.#world.findings.checked('refusals')
    if (reachable.length < details.wanted) return
    const text = `wants ${details.wanted} and is refused, though ${reachable.length} can be reached`
    this.#world.findings.add('Q7', `${id} ${text}`)
  }

  /** A process is gone, and nothing of it ends any more. */
  crashed({ index }: SimNode): void {
    this.#open[index]?.clear()
  }

  faultBegan(fault: FaultEvent): void {
    const node = disturbed(fault)
    if (node !== undefined) this.#disturbing[node] = (this.#disturbing[node] ?? 0) + 1
  }

  faultEnded(fault: FaultEvent): void {
    const node = disturbed(fault)
    if (node === undefined) return
    this.#disturbing[node] = Math.max(0, (this.#disturbing[node] ?? 0) - 1)
    this.#disturbedUntil[node] = this.#world.now()
  }

  healed(): void {
    this.#disturbing.forEach((count, node) => {
      if (count > 0) this.#disturbedUntil[node] = this.#world.now()
      this.#disturbing[node] = 0
    })
  }

  /** After a quiet time: nothing is under way, and nothing is still counted as if it were. */
  final(): void {
    const { findings } = this.#world
    for (const node of this.#world.nodes) {
      const open = this.#open[node.index] as Set<OpenRequest>
      for (const request of open) this.#checkTime(request)
      const figures = node.coordinator?.figures
      if (!figures || node.state !== 'up' || open.size > 0) continue
      const { operationsInFlight, repairsInFlight } = figures
      if (operationsInFlight !== 0 || repairsInFlight !== 0) {
        const counts = `${operationsInFlight} requests and ${repairsInFlight} repairs`
        findings.add('I13', `node ${node.index} counts ${counts} under way, and all is quiet`)
      }
    }
  }

  #checkTime(request: OpenRequest): void {
    const { node, at, timeout } = request
    if ((this.#disturbing[node] ?? 0) > 0) return
    const from = Math.max(at, this.#disturbedUntil[node] ?? -1)
    const late = this.#world.now() - (from + timeout + GRACE_MS)
    if (late <= 0) return
    const waited = timeout + GRACE_MS + Math.round(late)
    this.#world.findings.add('I13', `${describe(request)} is not over ${waited} ms later`)
  }

  #checkQueues({ index, replica, coordinator }: SimNode): void {
    if (!replica || !coordinator) return
    const { operationsInFlight, repairsInFlight } = coordinator.figures
    const within =
      replica.queued <= 2 * limits.pipelineOperationsMax &&
      operationsInFlight >= 0 &&
      operationsInFlight <= limits.operationsInFlightMax &&
      repairsInFlight >= 0 &&
      repairsInFlight <= limits.repairsInFlightMax
    if (within) return
    const counts = `${operationsInFlight} requests and ${repairsInFlight} repairs under way`
    this.#world.findings.add('O1', `node ${index} has ${replica.queued} queued, ${counts}`)
  }
}

function disturbed(fault: FaultEvent): number | undefined {
  return fault.kind === 'pause' || fault.kind === 'slow' || fault.kind === 'clock'
    ? fault.node
    : undefined
}

const describe = ({ what, node, at, timeout }: OpenRequest): string =>
  `${what}, taken by node ${node} at ${Math.round(at)} for ${timeout} ms,`
