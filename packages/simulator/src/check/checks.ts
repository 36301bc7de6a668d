import type { Consistency, ListAnswer, ReadAnswer, WriteAnswer } from '@shoal/coordinator'
import { InvariantViolation, ShoalError } from '@shoal/kernel'
import type { ClientEnd, SimCluster, SimNode } from '../cluster/sim-cluster.ts'
import type { FaultEvent, Plan } from '../plan/plan.ts'
import { noBits, union, within } from './bits.ts'
import { Disks } from './disks.ts'
import { FinalChecks } from './final.ts'
import type { Violation } from './findings.ts'
import { Hedges } from './hedges.ts'
import { Hints } from './hints.ts'
import { expectLevel, needsOthers } from './levels.ts'
import { Listings } from './listings.ts'
import { Minting } from './minting.ts'
import type { DiskDamage, InvokedOperation, ObservedBatch, Observer } from './observer.ts'
import { Reads } from './reads.ts'
import { Requests } from './requests.ts'
import { Sessions } from './sessions.ts'
import { Standings } from './standings.ts'
import { Tokens } from './tokens.ts'
import { guarded, type ProcessWatcher, watchCoordinator, watchReplica } from './watch-process.ts'
import { type Copy, isAlone, type Key, World } from './world.ts'
import { Writes } from './writes.ts'

interface KeyName {
  readonly bucket: string
  readonly key: string
}

export interface ChecksParts {
  readonly cluster: SimCluster
  readonly plan: Pick<Plan, 'injections' | 'faults'>
  /** Told of each violation. */
  readonly fail: (rule: string, message: string) => void
}

/**
 * All invariants at once, over one cluster. It listens; what it finds goes to `fail`, and nothing
 * else leaves it.
 */
export class Checks implements Observer {
  readonly #world: World
  readonly #disks: Disks
  readonly #tokens = new Tokens()
  readonly #minting: Minting
  readonly #reads: Reads
  readonly #writes: Writes
  readonly #listings: Listings
  readonly #requests: Requests
  readonly #hedges: Hedges
  readonly #hints: Hints
  readonly #standings: Standings
  readonly #final: FinalChecks

  constructor({ cluster, plan, fail }: ChecksParts) {
    const questionsRepeat = plan.faults.some(
      (fault) => fault.kind === 'link' && (fault.faults.duplicateQuestions ?? 0) > 0,
    )
    this.#world = new World({ cluster, fail, questionsRepeat })
    const sessions = new Sessions(this.#tokens)
    const forgets = (plan.injections['replica: memory forgets'] ?? 0) > 0
    this.#disks = new Disks(this.#world)
    this.#minting = new Minting(this.#world, this.#tokens, forgets)
    this.#reads = new Reads(this.#world, this.#tokens, sessions)
    this.#writes = new Writes(this.#world, this.#tokens, sessions)
    this.#listings = new Listings(this.#world)
    this.#requests = new Requests(this.#world)
    this.#hedges = new Hedges(this.#world)
    this.#hints = new Hints(this.#world)
    this.#standings = new Standings(this.#world)
    this.#final = new FinalChecks(this.#world, this.#disks)
    for (const node of cluster.nodes) if (node.replica && node.coordinator) this.booted(node)
  }

  get violations(): readonly Violation[] {
    return this.#world.findings.violations
  }

  /** Whether any copy of a key is whole: of the others nothing can be asked. */
  hasSoundCopy(bucket: string, key: string): boolean {
    const { primaries, copies } = this.#world.keyOf(bucket, key)
    return primaries.some((node) => copies[node]?.damaged === false)
  }

  /**
   * Whether a damaged copy had seen what no sound one has. Until copies may be told to forget, such
   * a copy refuses every repair, and a read that needs it fails.
   */
  hasLostKnowledge(bucket: string, key: string): boolean {
    const { primaries, copies, doubted } = this.#world.keyOf(bucket, key)
    const own = primaries.map((node) => copies[node] as Copy)
    const sound = own
      .filter(({ damaged }) => !damaged)
      .reduce((known, { cached }) => union(known, cached.events), noBits)
    // Of a disk that lied about the key nobody knows what it had seen.
    const isLost = ({ cached }: Copy): boolean => doubted || !within(cached.events, sound)
    return own.some((copy) => copy.damaged && isLost(copy))
  }

  /** Keys with the nodes that hold damaged rows of them, as far as the checks know. */
  damagedRows(): { readonly bucket: string; readonly key: string; readonly node: number }[] {
    return this.#disks.damagedRows()
  }

  /** How often each kind of check was made. */
  get counts(): ReadonlyMap<string, number> {
    return this.#world.findings.made
  }

  /** Looks at what no call tells. Call it every second or so. */
  sample(): void {
    this.#standings.sample()
  }

  /** A node has been silent for a while, and nothing else was wrong: nobody turns to it first. */
  avoided(node: number): void {
    this.#standings.avoided(node)
  }

  /** A node has been down for long while nothing else was wrong: everybody has given it up. */
  givenUp(node: number): void {
    this.#standings.givenUp(node)
  }

  /** After healing, and the time in which copies become equal by themselves. */
  converged(): void {
    this.#disks.settleAll()
    this.#final.converged()
  }

  /** Each of these keys was read from all its replicas, and nothing writes it any more. */
  equal(keys: readonly KeyName[]): void {
    this.#disks.settleAll()
    this.#final.equal(this.#keysOf(keys))
  }

  /** Each of these keys was read through the node that holds a damaged row of it. */
  mended(keys: readonly KeyName[]): void {
    this.#disks.settleAll()
    this.#final.healed(this.#keysOf(keys))
  }

  /** After all rows were checked by their nodes. */
  scrubbed(): void {
    this.#disks.settleAll()
    this.#final.scrubbed()
  }

  /** After healing, a quiet time and a read of every key from all its replicas. */
  final(): void {
    this.#disks.settleAll()
    this.#requests.final()
    this.#standings.final()
    this.#final.run()
  }

  booted(node: SimNode): void {
    this.#world.booted(node)
    this.#disks.settle(node.index)
    this.#minting.actors.booted(node)
    this.#standings.booted(node)
    this.#final.checkDigests(node, 'rows')
    const watcher = guarded(this.#watcherOf(node), (error) => {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
      this.#world.findings.add('checks', `a check stumbled on node ${node.index}: ${text}`)
    })
    if (node.replica) watchReplica(node.replica, watcher)
    if (node.coordinator) watchCoordinator(node.coordinator, watcher)
  }

  wrote(node: SimNode, batch: ObservedBatch): void {
    this.#disks.wrote(node, batch)
    this.#hints.wrote(node, batch)
  }

  synced(node: SimNode, batches: number): void {
    this.#disks.synced(node, batches)
  }

  crashed(node: SimNode, survived: readonly boolean[]): void {
    this.#disks.crashed(node, survived)
    this.#hints.crashed(node)
    this.#gone(node)
  }

  stopped(node: SimNode): void {
    this.#disks.settle(node.index)
    this.#requests.crashed(node)
  }

  halted(node: SimNode, error: Error): void {
    this.#minting.actors.stoppedUncleanly(node)
    if (error instanceof ShoalError) return
    const invariant = error instanceof InvariantViolation ? 'trip' : 'halt'
    this.#world.findings.add(invariant, `node ${node.index} halts: ${error.message}`)
  }

  damaged(node: SimNode, damage: DiskDamage): void {
    this.#disks.damaged(node, damage)
  }

  wiped(node: SimNode): void {
    this.#disks.replaced(node, 'a new one')
    this.#gone(node)
  }

  rolledBack(node: SimNode): void {
    this.#disks.replaced(node, 'an older one')
    this.#gone(node)
    this.#minting.actors.stoppedUncleanly(node)
  }

  faultBegan(fault: FaultEvent): void {
    if (fault.kind === 'clock') this.#listings.clockSet(fault.node)
    this.#requests.faultBegan(fault)
    this.#standings.faultBegan(fault)
  }

  faultEnded(fault: FaultEvent): void {
    if (fault.kind === 'clock') this.#listings.clockSet(fault.node)
    this.#requests.faultEnded(fault)
    this.#standings.faultEnded(fault)
  }

  healed(): void {
    for (const { index } of this.#world.nodes) this.#listings.clockSet(index)
    this.#requests.healed()
    this.#standings.healed()
  }

  invoked(operation: InvokedOperation): void {
    const { request } = operation
    if (request.kind === 'list') return
    const { bucket, key } = request.request
    this.#world.operations.invoked(operation, this.#world.keyOf(bucket, key).token)
  }

  ended(operation: InvokedOperation, end: ClientEnd): void {
    this.#world.operations.ended(operation, end)
    if (end.kind === 'refused') this.#requests.refused(operation.id, end.error)
  }

  #keysOf(names: readonly KeyName[]): Key[] {
    return names.map(({ bucket, key }) => this.#world.keyOf(bucket, key))
  }

  #gone(node: SimNode): void {
    this.#world.crashed(node.index)
    this.#minting.actors.crashed(node)
    this.#requests.crashed(node)
  }

  #checkLevel(what: string, wrong: string | undefined): void {
    if (wrong !== undefined) this.#world.findings.add('Q1', `${what}: ${wrong}`)
  }

  #watcherOf(node: SimNode): ProcessWatcher {
    return {
      written: (operation, result) => this.#minting.written(node, operation, result),
      merged: (operation) => this.#minting.merged(node, operation),
      refused: (operation, code) => {
        this.#disks.settleAll()
        this.#minting.refused(node, operation, code)
      },
      read: (request) => {
        this.#disks.settleAll()
        const open = this.#requests.begin(
          node,
          `a read of ${request.bucket}/${request.key}`,
          request.timeout,
        )
        this.#hedges.reads(node)
        const begun = this.#reads.begin(request)
        const wrongLevel = expectLevel(node, request)
        return (result: ReadAnswer | ShoalError) => {
          this.#disks.settleAll()
          this.#requests.ended(node, open)
          if (result instanceof ShoalError) return
          this.#checkLevel(`a read of ${request.bucket}`, wrongLevel(result.consistency))
          this.#reads.answered(node, request, begun, result)
        }
      },
      write: (request) => {
        const open = this.#requests.begin(node, `write ${request.idempotencyKey}`, request.timeout)
        this.#minting.times.taken(node, request)
        const inVain = needsOthers(node, request) && isAlone(node, this.#world.nodes)
        this.#world.operations.taken(request.idempotencyKey, { node: node.index, inVain })
        const { damages } = this.#world.keyOf(request.bucket, request.key)
        // It looks at the others where its own copy may be damaged.
        if (request.precondition || damages > 0) this.#hedges.reads(node)
        const wrongLevel = expectLevel(node, request)
        return (result: WriteAnswer | ShoalError) => {
          this.#disks.settleAll()
          this.#requests.ended(node, open)
          if (result instanceof ShoalError) return
          this.#writes.answered(node, request, result)
          // One that was passed on was worked out where it was made.
          if (result.receipt.node !== node.id) return
          this.#checkLevel(`write ${request.idempotencyKey}`, wrongLevel(result.consistency))
        }
      },
      list: (request) => {
        this.#disks.settleAll()
        const open = this.#requests.begin(node, `a listing of ${request.bucket}`, request.timeout)
        const begun = this.#listings.begin(node, request)
        const level: Consistency = { level: 'one', strict: false }
        const wrongLevel = expectLevel(node, { consistency: level, ...request })
        return (result: ListAnswer | ShoalError) => {
          this.#disks.settleAll()
          this.#requests.ended(node, open)
          if (result instanceof ShoalError) return
          this.#checkLevel(`a listing of ${request.bucket}`, wrongLevel(result.consistency))
          this.#listings.answered(node, request, begun, result)
        }
      },
    }
  }
}
