import { createSeededRandom, type Random } from '@shoal/kernel'
import {
  addDot,
  answerContext,
  clockContains,
  counterOf,
  emptyClock,
  isTombstone,
  liveCount,
  liveHeaderAt,
  mergeVersions,
  overwriteContext,
  type Put,
  putVersion,
  raiseBase,
  relate,
  requestAt,
  validateVersion,
  versionClock,
  type Write,
} from '../../src/index.ts'
import {
  EVENTS_MAX,
  type Event,
  type Finding,
  Found,
  type History,
  has,
  maximal,
  pastOf,
  show,
  valuesAmong,
} from './history.ts'

/**
 * A small cluster over the real functions of this package, checked after every step against
 * histories (`history.ts`), with which it shares nothing.
 *
 * Network, disk and clients are as bad as allowed: messages are lost, repeated and overtaken,
 * replicas lose what they had not synced after they had sent it, contexts are kept and used late
 * and elsewhere.
 */

/** Rules that can be broken in a line, to see that the model finds it. */
export const bugs = {
  'a node that is no replica mints dots upon a stale clock (V4)': 'mint-elsewhere',
  'a put answers with the merged clock (V5)': 'answer-merged',
  'an answer raises the base to the new dot (V5)': 'answer-base',
  'a put ships its new value alone under the whole clock (V5)': 'ship-alone',
  'the actor is kept after an unclean stop (A2)': 'keep-actor',
  'a failed read counts as not found before a put (V3)': 'read-error',
  'a context does not join the clock (V3)': 'forget-context',
  'a delete that leaves nothing drops the row (D3)': 'drop-tombstone',
  'a read shows one sibling and the context of all (V8)': 'truncate',
} as const
export type Bug = (typeof bugs)[keyof typeof bugs]

/** How often something happened, so that a run that reaches nothing is noticed. */
export type Labels = Map<string, number>

/** What one place holds of one key, and what it has truly heard of. */
interface Row {
  readonly version: Buffer | undefined
  readonly known: History
}

interface Context {
  /** Undefined for a blind write that joins what is there as a sibling. */
  readonly clock: Buffer | undefined
  readonly seen: History
}

interface Replica {
  actor: Buffer
  counter: number
  rows: Row[]
  disk: { rows: Row[]; counter: number }
  unsynced: Event[]
}

interface Message {
  readonly to: number
  readonly key: number
  readonly row: Row
}

const KEYS = 2
const CONTEXTS_MAX = 12
const NOTHING: Row = { version: undefined, known: 0 }

/** One run. Undefined when the cluster and the model agreed all the way. */
export function runCluster(seed: string, labels: Labels, bug?: Bug): Finding | undefined {
  const cluster = new Cluster(createSeededRandom(seed), labels, bug)
  try {
    cluster.run()
    return undefined
  } catch (error) {
    const { step } = cluster
    if (error instanceof Found) return { seed, kind: error.kind, step, detail: error.message }
    // An invariant or a refusal of the package itself: what it can see of a broken rule.
    return { seed, kind: 'refused', step, detail: String(error) }
  }
}

class Cluster {
  step = 0
  readonly #random: Random
  readonly #labels: Labels
  readonly #bug: Bug | undefined
  readonly #events: Event[][] = Array.from({ length: KEYS }, () => [])
  readonly #contexts: Context[][] = Array.from({ length: KEYS }, () => [])
  readonly #replicas: Replica[]
  readonly #messages: Message[] = []
  /** Only for `mint-elsewhere`: no disk, no state but what it last read. */
  readonly #outsider: { actor: Buffer; counter: number; rows: Row[] }

  constructor(random: Random, labels: Labels, bug: Bug | undefined) {
    this.#random = random
    this.#labels = labels
    this.#bug = bug
    this.#replicas = Array.from({ length: 2 + random.below(4) }, () => this.#newReplica())
    this.#outsider = { actor: this.#newActor(), counter: 0, rows: [NOTHING, NOTHING] }
  }

  run(): void {
    const steps = 20 + this.#random.below(50)
    for (this.step = 1; this.step <= steps; this.step++) this.#act()
    this.#heal()
  }

  #act(): void {
    const dice = this.#random.below(100)
    if (dice < 36) this.#write()
    else if (dice < 48) this.#read()
    else if (dice < 76) this.#deliver()
    else if (dice < 80) this.#lose()
    else if (dice < 87) this.#gossip()
    else if (dice < 95) this.#sync(this.#pick(this.#replicas))
    else this.#crash(this.#pick(this.#replicas))
  }

  #write(): void {
    const key = this.#random.below(KEYS)
    if ((this.#events[key] as Event[]).length >= EVENTS_MAX) return
    if (this.#bug === 'mint-elsewhere' && this.#random.below(3) === 0) this.#writeElsewhere(key)
    else this.#writeAt(this.#pick(this.#replicas), key)
  }

  /** A client write, coordinated by a replica. */
  #writeAt(replica: Replica, key: number): void {
    const failed = this.#bug === 'read-error' && this.#random.below(20) === 0
    const row = rowOf(replica.rows, key)
    const local = failed ? undefined : row.version
    const context = this.#someContext(key, row)
    const { write, event, bit } = this.#newEvent(replica, key, context.seen)
    const dropped =
      this.#bug === 'forget-context' ? this.#withoutContext(local, context, write) : undefined
    const put = dropped ?? putVersion(local, context.clock, write)
    const known = row.known | context.seen | bit
    replica.unsynced.push(event)
    this.#keep(replica, key, { version: put.version, known })
    this.#send(replica, key, { version: this.#shipped(put), known })
    this.#remember(key, this.#answer(context, put, write), context.seen | bit)
    this.#count(put.kept.length > 0 ? 'a write left siblings' : 'a write replaced all')
    if (write.tombstone) this.#count('deletes')
  }

  #answer(context: Context, put: Put, write: Write): Buffer {
    if (this.#bug === 'answer-merged') return versionClock(put.version)
    if (this.#bug === 'answer-base')
      return raiseBase(context.clock ?? emptyClock, write.actor, write.counter)
    // Both forms must stand for the same events; clients hold either.
    return this.#random.below(2) === 0
      ? answerContext(context.clock, put, write)
      : addDot(context.clock ?? emptyClock, write.actor, write.counter)
  }

  /** The state sent to the others: all that is live, never the new value alone. */
  #shipped(put: Put): Buffer {
    if (this.#bug !== 'ship-alone') return put.version
    return Buffer.concat([versionClock(put.version), Buffer.from([0, 1]), put.header])
  }

  #withoutContext(local: Buffer | undefined, context: Context, write: Write): Put {
    const put = putVersion(local, context.clock, write)
    const clock = raiseBase(local ? versionClock(local) : emptyClock, write.actor, write.counter)
    const live = put.version.subarray(versionClock(put.version).length)
    return { ...put, version: Buffer.concat([clock, live]) }
  }

  #writeElsewhere(key: number): void {
    const outsider = this.#outsider
    if (this.#random.below(3) === 0)
      outsider.rows[key] = rowOf(this.#pick(this.#replicas).rows, key)
    const row = rowOf(outsider.rows, key)
    const context = this.#someContext(key, row)
    const { write, bit } = this.#newEvent(outsider, key, context.seen)
    const put = putVersion(row.version, context.clock, write)
    const sent = { version: put.version, known: row.known | context.seen | bit }
    this.#replicas.forEach((_replica, to) => void this.#messages.push({ to, key, row: sent }))
  }

  #newEvent(author: { actor: Buffer; counter: number }, key: number, past: History) {
    const events = this.#events[key] as Event[]
    const index = events.length
    const counter = ++author.counter
    const request = Buffer.alloc(8)
    request.writeUInt32BE(index, 4)
    const tombstone = this.#random.below(4) === 0
    const stamp = { hi: index, lo: this.#random.below(1_000) }
    const write = { actor: author.actor, counter, tombstone, stamp, request, expiry: 0 }
    const dot = Buffer.alloc(16)
    author.actor.copy(dot)
    dot.writeBigUInt64BE(BigInt(counter), 8)
    const event = { dot, past, tombstone, acknowledged: false }
    events.push(event)
    return { write, event, bit: 1 << index }
  }

  /** A context kept from any earlier answer, none at all, or that of a blind overwrite (V7). */
  #someContext(key: number, row: Row): Context {
    const kept = this.#contexts[key] as Context[]
    const dice = this.#random.below(10)
    if (dice < 2) return { clock: undefined, seen: 0 }
    if (dice < 4) return { clock: overwriteContext(row.version), seen: row.known }
    if (kept.length === 0) return { clock: emptyClock, seen: 0 }
    const late = dice < 6 ? this.#random.below(kept.length) : kept.length - 1
    if (late < kept.length - 3) this.#count('a context used late')
    return kept[late] as Context
  }

  #remember(key: number, clock: Buffer, seen: History): void {
    this.#checkClock(key, clock, seen, 'a context')
    const kept = this.#contexts[key] as Context[]
    if (kept.length >= CONTEXTS_MAX) kept.splice(this.#random.below(kept.length), 1)
    kept.push({ clock, seen })
  }

  /** A coordinator merges what some replicas answer, and shows all of it with its clock. */
  #read(): void {
    const key = this.#random.below(KEYS)
    let row = NOTHING
    for (const replica of this.#replicas) {
      if (this.#random.below(2) === 0) row = this.#merged(row, rowOf(replica.rows, key))
    }
    this.#check(key, row)
    const clock = row.version ? versionClock(row.version) : emptyClock
    if (this.#bug === 'truncate' && row.version && liveCount(row.version) > 1) {
      const shown = this.#eventAt(row.version, 0)
      this.#remember(key, clock, (this.#events[key]?.[shown]?.past ?? 0) | (1 << shown))
    } else this.#remember(key, clock, row.known)
  }

  #deliver(): void {
    if (this.#messages.length === 0) return
    const index = this.#random.below(this.#messages.length)
    const message = this.#messages[index] as Message
    if (this.#random.below(4) > 0) this.#messages.splice(index, 1)
    else this.#count('a message delivered again')
    const replica = this.#replicas[message.to] as Replica
    this.#keep(replica, message.key, this.#merged(rowOf(replica.rows, message.key), message.row))
  }

  #lose(): void {
    if (this.#messages.length === 0) return
    this.#messages.splice(this.#random.below(this.#messages.length), 1)
    this.#count('a message lost')
  }

  #gossip(): void {
    const key = this.#random.below(KEYS)
    const replica = this.#pick(this.#replicas)
    this.#send(replica, key, rowOf(replica.rows, key))
  }

  #send(from: Replica, key: number, row: Row): void {
    if (row.version === undefined) return
    this.#replicas.forEach((replica, to) => {
      if (replica !== from) this.#messages.push({ to, key, row })
    })
  }

  #sync(replica: Replica): void {
    replica.disk = { rows: [...replica.rows], counter: replica.counter }
    for (const event of replica.unsynced) event.acknowledged = true
    replica.unsynced = []
  }

  /** An unclean stop: what was not synced is gone here, though others may hold it (V3). */
  #crash(replica: Replica): void {
    if (replica.unsynced.length > 0) this.#count('a crash lost writes that were sent')
    replica.rows = [...replica.disk.rows]
    replica.unsynced = []
    if (this.#bug === 'keep-actor') replica.counter = replica.disk.counter
    else Object.assign(replica, { actor: this.#newActor(), counter: this.#random.below(3) })
  }

  #keep(replica: Replica, key: number, row: Row): void {
    const alone = row.version !== undefined && liveCount(row.version) === 1
    const deleted = alone && isTombstone(row.version, liveHeaderAt(row.version, 0))
    const drop = this.#bug === 'drop-tombstone' && deleted
    replica.rows[key] = drop ? { ...row, version: undefined } : row
    this.#check(key, rowOf(replica.rows, key))
    const ahead = row.version ? counterOf(row.version, replica.actor) > replica.counter : false
    if (ahead && this.#bug === undefined) throw new Found('wrong clock', 'an actor behind itself')
  }

  /** As a replica does it: judged first, merged only where neither side will do. */
  #merged(local: Row, incoming: Row): Row {
    const known = local.known | incoming.known
    if (local.version === undefined) return { version: incoming.version, known }
    if (incoming.version === undefined) return { version: local.version, known }
    const relation = relate(local.version, incoming.version)
    this.#count(`merges: ${relation}`)
    if (relation === 'take') return { version: incoming.version, known }
    if (relation !== 'mix') return { version: local.version, known }
    return { version: mergeVersions(local.version, incoming.version).version, known }
  }

  /**
   * Two rounds of everyone with everyone; then all must agree, with each other and with history.
   */
  #heal(): void {
    for (let key = 0; key < KEYS; key++) {
      let all = NOTHING
      for (const { rows } of this.#replicas) all = this.#merged(all, rowOf(rows, key))
      for (const replica of this.#replicas) {
        this.#keep(replica, key, this.#merged(rowOf(replica.rows, key), all))
        const { version } = rowOf(replica.rows, key)
        const equal = version === undefined || (all.version?.equals(version) ?? false)
        if (!equal) throw new Found('not converged', `key ${key}`)
      }
      this.#checkAcknowledged(key, all)
    }
  }

  /** Judged by histories alone: an acknowledged write is live, or something live has seen it. */
  #checkAcknowledged(key: number, row: Row): void {
    const events = this.#events[key] as Event[]
    const live = row.version ? this.#live(row.version) : 0
    const past = pastOf(live, events)
    events.forEach((event, index) => {
      const tombstoneGone = event.tombstone && this.#bug === 'drop-tombstone'
      if (!event.acknowledged || has(live | past, index) || tombstoneGone) return
      throw new Found('lost write', `key ${key}: acknowledged write ${index}`)
    })
    if (live & past) throw new Found('false sibling', `key ${key}: ${show(live & past)}`)
  }

  /**
   * What is live here against what history says. With a planted bug only what clients can see
   * counts.
   */
  #check(key: number, { version, known }: Row): void {
    const events = this.#events[key] as Event[]
    const expected = maximal(known, events)
    const actual = version ? this.#live(version) : 0
    const countsBits = this.#bug === undefined ? -1 : valuesAmong(events)
    const lost = expected & ~actual & countsBits
    const surplus = actual & ~expected & countsBits
    if (lost) throw new Found('lost write', `key ${key}: ${show(lost)} of ${show(expected)}`)
    if (surplus)
      throw new Found('false sibling', `key ${key}: ${show(surplus)} beside ${show(expected)}`)
    if (this.#bug !== undefined || version === undefined) return
    const reason = validateVersion(version)
    if (reason !== undefined) throw new Found('wrong clock', `key ${key}: ${reason}`)
    this.#checkClock(key, version, known, 'a version')
    if (expected & (expected - 1)) this.#count('siblings held')
  }

  /** A clock claims exactly the writes that its holder has heard of, neither fewer nor more. */
  #checkClock(key: number, clock: Buffer, known: History, whose: string): void {
    if (this.#bug !== undefined) return
    ;(this.#events[key] as Event[]).forEach(({ dot }, index) => {
      if (clockContains(clock, 0, dot, 0) === has(known, index)) return
      throw new Found('wrong clock', `key ${key}: ${whose} about write ${index}`)
    })
  }

  #live(version: Buffer): History {
    let live = 0
    for (let index = 0; index < liveCount(version); index++)
      live |= 1 << this.#eventAt(version, index)
    return live
  }

  /**
   * Writes are told apart by their request, not by their dot: a reused dot must not go unnoticed.
   */
  #eventAt(version: Buffer, index: number): number {
    return version.readUInt32BE(requestAt(liveHeaderAt(version, index)) + 4)
  }

  #newReplica(): Replica {
    const rows = [NOTHING, NOTHING]
    const counter = this.#random.below(3)
    return {
      actor: this.#newActor(),
      counter,
      rows,
      disk: { rows: [...rows], counter },
      unsynced: [],
    }
  }

  #newActor(): Buffer {
    return Buffer.from(this.#random.bytes(8))
  }

  #pick<T>(items: readonly T[]): T {
    return items[this.#random.below(items.length)] as T
  }

  #count(label: string): void {
    this.#labels.set(label, (this.#labels.get(label) ?? 0) + 1)
  }
}

const rowOf = (rows: readonly Row[], key: number): Row => rows[key] as Row
