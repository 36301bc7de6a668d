import { limits } from '@shoal/kernel'
import type { EngineEvent } from '@shoal/node/engine'
import type { DiskDamage, InvokedOperation, ObservedBatch, Observer } from '../check/observer.ts'
import type { ClientEnd, SimCluster, SimNode } from '../cluster/sim-cluster.ts'
import type { FaultEvent } from '../plan/plan.ts'
import { idOfBody } from '../workload/body.ts'
import { labelEnd, labelRepeat } from './answer-labels.ts'
import type { Label } from './labels.ts'

interface Boots {
  readonly times: number[]
  /** The process of now has been composed. */
  composed: boolean
}

const BOOTS_CLOSE = 10_000

/**
 * Notes which of the labels a run reaches. Watches what is told, and looks at the figures of the
 * nodes from time to time.
 */
export class LabelWatcher implements Observer {
  readonly #cluster: SimCluster
  readonly #reached = new Set<Label>()
  readonly #boots = new Map<number, Boots>()
  readonly #damaged = new Set<string>()
  readonly #wiped = new Set<number>()
  #over = false
  /** Writes of which the client never heard, and the node that was asked. */
  readonly #unknown = new Map<string, number>()

  constructor(cluster: SimCluster) {
    this.#cluster = cluster
  }

  get reached(): readonly Label[] {
    return [...this.#reached]
  }

  readonly #reach = (label: Label): void => void this.#reached.add(label)

  booted(node: SimNode): void {
    const boots = this.#bootsOf(node)
    boots.composed = true
    boots.times.push(this.#cluster.now())
    const third = boots.times.at(-3)
    if (third !== undefined && third > this.#cluster.now() - BOOTS_CLOSE) {
      this.#reach('three boots within ten seconds')
    }
    if (boots.times.length < 2) return
    this.#reach(
      node.replica?.wasClean ? 'a clean restart kept its actors' : 'an unclean restart with data',
    )
  }

  crashed(node: SimNode, survived: readonly boolean[]): void {
    const boots = this.#bootsOf(node)
    if (!boots.composed && boots.times.length > 0) this.#reach('a crash while booting')
    boots.composed = false
    if (survived.length > 0) this.#reach('a crash between batch and sync')
    if (survived.includes(true)) this.#reach('a crash kept unsynced batches')
    const lost = survived.indexOf(false)
    if (lost >= 0 && survived.lastIndexOf(true) > lost) this.#reach('a crash left a hole')
    this.#countNodes()
  }

  stopped(node: SimNode): void {
    this.#bootsOf(node).composed = false
    this.#countNodes()
  }

  halted(): void {
    this.#reach('a node stopped itself for its disk')
  }

  happened(_node: SimNode, { source, event }: EngineEvent): void {
    if (source !== 'membership') return
    if (event.kind === 'refuted') this.#reach('a node contradicted what was said of it')
    if (event.kind !== 'member') return
    if (event.state === 'suspect') this.#reach('a node was suspected')
    if (event.state === 'dead') this.#reach('a node was declared dead')
    if (event.before === 'dead') this.#reach('a node that was declared dead came back')
  }

  damaged(node: SimNode, { column, key }: DiskDamage): void {
    this.#damaged.add(`${node.index} ${column} ${key}`)
  }

  wiped(node: SimNode): void {
    this.#wiped.add(node.index)
  }

  wrote(node: SimNode, { operations }: ObservedBatch): void {
    if (this.#damaged.size === 0 && this.#wiped.size === 0) return
    for (const { column, key } of operations) {
      if (this.#damaged.delete(`${node.index} ${column} ${key}`)) {
        this.#reach('a damaged record was written again')
      }
      if (column === 'rows' && this.#wiped.has(node.index)) {
        this.#reach('a disk was replaced and filled again')
      }
    }
  }

  faultBegan(fault: FaultEvent): void {
    if (fault.kind === 'pause' && fault.lasts > limits.peerSilenceMax) {
      this.#reach('a node was paused for longer than silence is borne')
    }
  }

  invoked({ id, node, attempt, request }: InvokedOperation): void {
    if (request.kind === 'list' && request.request.after !== '') {
      this.#reach('a listing went over several pages')
    }
    if (attempt === 0 || request.kind !== 'write') return
    const asked = this.#cluster.nodes[node]
    if (asked) labelRepeat(asked, request.request, this.#reach)
    const before = this.#unknown.get(id)
    if (before === undefined) return
    this.#reach(
      before === node
        ? 'a lost answer was asked for again here'
        : 'a lost answer was asked for again elsewhere',
    )
  }

  ended(operation: InvokedOperation, end: ClientEnd): void {
    const node = this.#cluster.nodes[operation.node]
    if (!node) return
    labelEnd(node, operation, end, this.#reach)
    const { request, id } = operation
    if (request.kind === 'write') this.#noteWrite(id, operation.node, end)
    if (request.kind !== 'read') return
    if (end.kind === 'answer') this.#noteShown(end.answer)
    if (end.kind === 'refused' && request.request.consistency?.strict) {
      this.#reach('a strict read failed')
    }
  }

  #noteWrite(id: string, node: number, end: ClientEnd): void {
    const unknown =
      end.kind === 'lost' || (end.kind === 'refused' && end.error.outcome === 'unknown')
    if (unknown) this.#unknown.set(id, node)
    else if (end.kind === 'answer') this.#unknown.delete(id)
  }

  #noteShown(answer: Answer): void {
    if (this.#unknown.size === 0 || !('values' in answer)) return
    for (const { body } of answer.values) {
      if (this.#unknown.has(idOfBody(body))) {
        return this.#reach('a write of unknown outcome was seen afterwards')
      }
    }
  }

  /** Looks at what the nodes count. Call it every second or so. */
  sample(): void {
    for (const { coordinator, replica } of this.#cluster.nodes) {
      if (coordinator) this.#sampleCoordinator(coordinator.desk)
      if (replica) this.#sampleReplica(replica.figures())
    }
  }

  #sampleCoordinator({ figures, speeds }: CoordinatorDesk): void {
    if (figures.forwarded > 0) this.#reach('a write was passed on to a replica')
    if (figures.lostWrites > 0) this.#reach('a value of last-write-wins was hidden and dropped')
    if (figures.siblingsWarned > 0) this.#reach('a key had ten siblings to warn of')
    if (speeds.hedges > 0) this.#reach('a read was hedged')
  }

  #sampleReplica(figures: ReplicaFigures): void {
    if (figures.damaged > 0) this.#reach('a damaged copy was met')
    if (figures.stampsClamped > 0) this.#reach('a stamp was clamped')
    if (figures.actorsRotated > 0) this.#reach('an actor was replaced while running')
    if (figures.cacheMisses > 0) this.#reach('a version was read from disk')
    if (figures.rowsLoaded > 0) this.#reach('values were needed for a merge')
  }

  /** What follows is the orderly end of the run: no state worth reaching. */
  end(): void {
    this.#over = true
  }

  #countNodes(): void {
    if (this.#over) return
    const { nodes } = this.#cluster
    const up = nodes.filter(({ state }) => state === 'up').length
    if (up === 0) this.#reach('all nodes were down')
    if (up <= nodes.length / 2) this.#reach('no majority was up')
  }

  #bootsOf({ index }: SimNode): Boots {
    let boots = this.#boots.get(index)
    if (!boots) {
      boots = { times: [], composed: false }
      this.#boots.set(index, boots)
    }
    return boots
  }
}

type Answer = Extract<ClientEnd, { kind: 'answer' }>['answer']
type CoordinatorDesk = NonNullable<SimNode['coordinator']>['desk']
type ReplicaFigures = ReturnType<NonNullable<SimNode['replica']>['figures']>
