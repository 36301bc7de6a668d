/**
 * The slow, obviously right form of everything the package does in place: a clock is the set of all
 * its dots, written out one by one, and a version is such a set with a map of what is live.
 */
export type Dot = `${string}:${number}`

export interface Header {
  readonly tombstone: boolean
  readonly stampHi: number
  readonly stampLo: number
  readonly request: string
  readonly expiry: number
}

export interface State {
  readonly seen: ReadonlySet<Dot>
  readonly live: ReadonlyMap<Dot, Header>
}

export const dot = (actor: string, counter: number): Dot => `${actor}:${counter}`
export const actorOf = (of: Dot): string => of.slice(0, 16)
export const counterOfDot = (of: Dot): number => Number(of.slice(17))

export const byDot = (a: Dot, b: Dot): number =>
  actorOf(a) < actorOf(b) ? -1 : actorOf(a) > actorOf(b) ? 1 : counterOfDot(a) - counterOfDot(b)

const union = <T>(a: Iterable<T>, b: Iterable<T>): Set<T> => new Set([...a, ...b])
const within = <T>(a: ReadonlySet<T>, b: ReadonlySet<T>): boolean => [...a].every((x) => b.has(x))

export function orderOf(a: ReadonlySet<Dot>, b: ReadonlySet<Dot>) {
  if (within(a, b)) return within(b, a) ? 'equal' : 'before'
  return within(b, a) ? 'after' : 'concurrent'
}

export const join = union<Dot>

export function upTo(actor: string, counter: number): Dot[] {
  return Array.from({ length: counter }, (_none, index) => dot(actor, index + 1))
}

/** Rule V2, word for word. */
export function mergeStates(a: State, b: State): State {
  const live = new Map<Dot, Header>()
  for (const [of, header] of a.live) if (b.live.has(of) || !b.seen.has(of)) live.set(of, header)
  for (const [of, header] of b.live) if (a.live.has(of) || !a.seen.has(of)) live.set(of, header)
  return { seen: join(a.seen, b.seen), live }
}

/** Rule V3, word for word. */
export function putState(
  local: State | undefined,
  context: ReadonlySet<Dot>,
  write: { actor: string; counter: number; header: Header },
): State {
  const live = new Map([...(local?.live ?? [])].filter(([of]) => !context.has(of)))
  live.set(dot(write.actor, write.counter), write.header)
  const own = upTo(write.actor, write.counter)
  return { seen: join(join(local?.seen ?? [], context), own), live }
}

/** The bases and extras that a set of dots comes down to. */
export function compact(dots: ReadonlySet<Dot>): { bases: [string, number][]; extras: Dot[] } {
  const bases: [string, number][] = []
  const actors = [...new Set([...dots].map(actorOf))].sort()
  for (const actor of actors) {
    let base = 0
    while (dots.has(dot(actor, base + 1))) base++
    if (base > 0) bases.push([actor, base])
  }
  const baseOf = new Map(bases)
  const extras = [...dots].filter((of) => counterOfDot(of) > (baseOf.get(actorOf(of)) ?? 0))
  return { bases, extras: extras.sort(byDot) }
}

export function encodeClock(dots: ReadonlySet<Dot>): Buffer {
  const { bases, extras } = compact(dots)
  const head = Buffer.alloc(4)
  head.writeUInt16BE(bases.length, 0)
  head.writeUInt16BE(extras.length, 2)
  const entries = bases.map(([actor, base]) => encodeDot(dot(actor, base)))
  return Buffer.concat([head, ...entries, ...extras.map(encodeDot)])
}

export function encodeDot(of: Dot): Buffer {
  const bytes = Buffer.alloc(16)
  bytes.write(actorOf(of), 'hex')
  bytes.writeBigUInt64BE(BigInt(counterOfDot(of)), 8)
  return bytes
}

export function encodeHeader(of: Dot, header: Header): Buffer {
  const rest = Buffer.alloc(25)
  rest.writeUInt8(header.tombstone ? 1 : 0, 0)
  rest.writeUInt32BE(header.stampHi, 1)
  rest.writeUInt32BE(header.stampLo, 5)
  rest.write(header.request, 9, 'hex')
  rest.writeBigUInt64BE(BigInt(header.expiry), 17)
  return Buffer.concat([encodeDot(of), rest])
}

export function encodeVersion({ seen, live }: State): Buffer {
  const count = Buffer.alloc(2)
  count.writeUInt16BE(live.size)
  const headers = [...live].sort(([a], [b]) => byDot(a, b)).map(([of, h]) => encodeHeader(of, h))
  return Buffer.concat([encodeClock(seen), count, ...headers])
}

/** Every dot of a clock, written out. */
export function decodeClock(bytes: Buffer): Set<Dot> {
  const dots = new Set<Dot>()
  const bases = bytes.readUInt16BE(0)
  const extras = bytes.readUInt16BE(2)
  for (let index = 0; index < bases + extras; index++) {
    const at = 4 + 16 * index
    const actor = bytes.toString('hex', at, at + 8)
    const counter = Number(bytes.readBigUInt64BE(at + 8))
    for (const of of index < bases ? upTo(actor, counter) : [dot(actor, counter)]) dots.add(of)
  }
  return dots
}
