import type { WriteRequest } from '@shoal/coordinator'
import { limits } from '@shoal/kernel'
import type { SimNode } from '../cluster/sim-cluster.ts'
import { actorAt, type Header, readHeader, readVersion } from './decode.ts'
import { type MintedWrite, writeOf } from './minted-write.ts'
import type { World } from './world.ts'

interface Moment {
  /** Of the node's clock. */
  readonly wall: number
  /** Of the simulation. */
  readonly at: number
}

/** What one process has seen of time. */
interface Clockwork {
  readonly life: number
  /** The latest that its wall clock has shown when anybody looked. */
  latest: number
  lastStamp: bigint
}

/** Stamps of one moment count on; nobody writes this many values in one. */
const COUNTED_ON_MS = 1_000

/** V12 and D2: what is written of time is what the clock of the node said. */
export class Times {
  readonly #world: World
  readonly #clockworks: (Clockwork | undefined)[]
  /** Wall clocks when a node took a write, by node and request. */
  readonly #taken = new Map<string, Moment[]>()

  constructor(world: World) {
    this.#world = world
    this.#clockworks = world.nodes.map(() => undefined)
  }

  /** A coordinator takes a write. */
  taken(node: SimNode, { idempotencyKey }: WriteRequest): void {
    const name = `${node.index} ${idempotencyKey}`
    const moment = { wall: wallOf(node), at: this.#world.now() }
    const moments = this.#taken.get(name)
    if (moments) moments.push(moment)
    else this.#taken.set(name, [moment])
  }

  /** A node looks at the stamps of another's values: its own follow them, but only so far. */
  merged(node: SimNode): void {
    this.#clockworkOf(node)
  }

  minted(write: MintedWrite): void {
    const header = headerOf(write)
    if (!header) return
    this.#world.findings.checked('stamps')
    this.#checkStamp(write, header)
    this.#checkExpiry(write, header)
  }

  #checkStamp({ node, fail }: MintedWrite, { stamp }: Header): void {
    const clockwork = this.#clockworkOf(node)
    const at = Number(stamp >> 16n)
    if (stamp <= clockwork.lastStamp) fail('V12', 'its stamp is not above the last one of its node')
    if (at < Math.floor(wallOf(node))) fail('V12', `its stamp is ${at}, before the wall clock`)
    const ahead = at - clockwork.latest
    if (ahead > limits.clockAheadMax + COUNTED_ON_MS) {
      fail('V12', `its stamp is ${Math.round(ahead)} ms ahead of the wall clock`)
    }
    clockwork.lastStamp = stamp
  }

  /** A write that had to look first may be dated later, so it is left out. */
  #checkExpiry({ node, key, record, fail }: MintedWrite, { expiry, tombstone }: Header): void {
    const request = record && writeOf(record)
    if (!request || request.precondition || key.damages > 0 || tombstone || expiry === 0) return
    const ttl = request.ttl > 0 ? request.ttl : (this.#world.properties(key.bucket)?.ttl ?? 0)
    const moments = this.#taken.get(`${node.index} ${request.idempotencyKey}`) ?? []
    const now = wallOf(node)
    const dated = expiry - ttl * 1_000
    // Some time may pass before a write is dated, where its node has to learn of its bucket first;
    // in that time its clock may be set back.
    const isBetween = ({ wall, at }: Moment): boolean => {
      const first = Math.min(wall, now, now - (this.#world.now() - at))
      return dated >= first - 1 && dated <= Math.max(wall, now) + 1
    }
    if (moments.some(isBetween)) return
    const walls = moments.map(({ wall }) => wall).join(', ')
    fail('D2', `it expires at ${expiry}, taken at ${walls} for ${ttl} s`)
  }

  #clockworkOf(node: SimNode): Clockwork {
    const { index, life } = node
    const wall = wallOf(node)
    const known = this.#clockworks[index]
    if (known?.life === life) {
      known.latest = Math.max(known.latest, wall)
      return known
    }
    const clockwork: Clockwork = { life, latest: wall, lastStamp: 0n }
    this.#clockworks[index] = clockwork
    return clockwork
  }
}

const wallOf = ({ coordinator }: SimNode): number => coordinator?.desk.env.clock.wall() ?? 0

/** The live header of the write itself, in the version it left. */
function headerOf({ result }: MintedWrite): Header | undefined {
  const actor = actorAt(result.actor, 0)
  for (const bytes of readVersion(result.version)?.headers ?? []) {
    const header = readHeader(bytes)
    if (header.actor === actor && header.counter === result.counter) return header
  }
  return undefined
}
