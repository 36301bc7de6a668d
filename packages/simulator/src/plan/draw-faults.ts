import { type Draw, drawFor } from './draw.ts'
import type {
  ClockFault,
  CrashFault,
  DiskFault,
  FaultEvent,
  FaultKind,
  LinkFaults,
  StopFault,
} from './plan.ts'

interface FaultRoom {
  readonly nodes: number
  /** Faults begin in this stretch of the run, and end in it. */
  readonly from: number
  readonly until: number
  /** Nodes that may be hurt. */
  readonly victims: readonly number[]
  /** Whether copies may be damaged: not where others count on each healthy disk. */
  readonly damage: boolean
}

/** Faults are drawn for this stretch of time; rates are per this many milliseconds. */
const RATE_PER_MS = 300_000

/** All faults of one kind: about as many as the rate says, each from a stream of its own. */
export function drawFaultsOf(
  seed: number,
  kind: FaultKind,
  { rate, label, room }: { rate: number; label: string; room: FaultRoom },
): FaultEvent[] {
  const count = Math.round((rate * (room.until - room.from)) / RATE_PER_MS)
  const drawn: FaultEvent[] = []
  for (let index = 0; index < count; index++) {
    const draw = drawFor(seed, `${label} ${kind}`, index)
    const at = Math.floor(
      room.from + ((room.until - room.from) * (index + draw.fraction())) / count,
    )
    const identity = { id: `${label}-${kind}${index}`, at }
    const fault = drawFault[kind](draw, identity, room)
    if (!fault) continue
    if (fault.kind === 'rollback' && draw.chance(0.7)) drawn.push(copyingStop(draw, fault, room))
    const ending = endingBefore(fault, room.until)
    drawn.push(
      ...(ending.kind === 'crash' && draw.chance(BLACKOUTS) ? forAll(ending, room) : [ending]),
    )
  }
  return drawn
}

/** Copies of a disk are made while its node is stopped. */
function copyingStop(draw: Draw, { id, at, node }: FaultEvent & { node: number }, room: FaultRoom) {
  const before = Math.max(room.from, at - draw.spread(1_000, 20_000))
  return {
    id: `${id}-copy`,
    at: before,
    kind: 'stop',
    node,
    downFor: draw.spread(10, 500),
  } as const
}

/** Of the crashes, those in which the power of a whole room is cut. */
const BLACKOUTS = 0.06

function forAll(fault: CrashFault, { victims }: FaultRoom): CrashFault[] {
  return victims.map((node) => ({ ...fault, id: `${fault.id}.${node}`, node }))
}

function endingBefore<T extends FaultEvent>(fault: T, until: number): T {
  const left = Math.max(1, until - fault.at)
  if ('lasts' in fault && fault.lasts !== undefined) {
    return { ...fault, lasts: Math.min(fault.lasts, left) }
  }
  return 'downFor' in fault ? { ...fault, downFor: Math.min(fault.downFor, left) } : fault
}

interface Identity {
  readonly id: string
  readonly at: number
}

type FaultDraw = (draw: Draw, identity: Identity, room: FaultRoom) => FaultEvent | undefined

const drawFault: Readonly<Record<FaultKind, FaultDraw>> = {
  crash: (draw, identity, { victims }) => ({
    ...identity,
    kind: 'crash',
    node: draw.pick(victims),
    downFor: draw.spread(1, 20_000),
    unsynced: draw.weighted([
      ['lost', 4],
      ['random', 4],
      ['kept', 1],
      ['holes', 4],
    ]),
    ...(draw.chance(0.2) ? { during: 'boot' } : {}),
  }),
  stop: (draw, identity, { victims }) => ({
    ...identity,
    kind: 'stop',
    node: draw.pick(victims),
    downFor: draw.spread(10, 20_000),
    ...(draw.chance(0.25) ? drawCut(draw) : {}),
  }),
  pause: (draw, identity, { victims }) => ({
    ...identity,
    kind: 'pause',
    node: draw.pick(victims),
    lasts: draw.spread(50, 120_000),
  }),
  slow: (draw, identity, { victims }) => ({
    ...identity,
    kind: 'slow',
    node: draw.pick(victims),
    factor: draw.spread(10, 100),
    lasts: draw.spread(500, 30_000),
  }),
  wipe: (draw, identity, { victims, damage }) =>
    damage
      ? { ...identity, kind: 'wipe', node: draw.pick(victims), downFor: draw.spread(10, 10_000) }
      : undefined,
  rollback: (draw, identity, { victims, damage }) =>
    damage
      ? {
          ...identity,
          kind: 'rollback',
          node: draw.pick(victims),
          downFor: draw.spread(10, 10_000),
        }
      : undefined,
  link: drawLink,
  partition: drawPartition,
  sever: (draw, identity, room) => {
    const [one, other] = drawPair(draw, room)
    return { ...identity, kind: 'sever', one, other }
  },
  clog: (draw, identity, room) => {
    const [from, to] = drawPair(draw, room)
    return { ...identity, kind: 'clog', from, to, lasts: draw.spread(50, 60_000) }
  },
  disk: drawDisk,
  clock: drawClock,
}

function drawCut(draw: Draw): Pick<StopFault, 'cutAfter' | 'cutFrom'> {
  const cutAfter = draw.spread(1, 400)
  return draw.chance(0.5) ? { cutAfter } : { cutAfter: cutAfter % 8, cutFrom: 'first-write' }
}

/** Two different nodes, one of which may be hurt, in either order. */
function drawPair(draw: Draw, { nodes, victims }: FaultRoom): [number, number] {
  const victim = draw.pick(victims)
  const other = (victim + draw.between(1, nodes - 1)) % nodes
  return draw.chance(0.5) ? [victim, other] : [other, victim]
}

function drawLink(draw: Draw, identity: Identity, room: FaultRoom): FaultEvent {
  const everyone = room.victims.length === room.nodes && draw.chance(0.3)
  const [from, to]: [number | 'all', number | 'all'] = everyone
    ? ['all', 'all']
    : drawPair(draw, room)
  const faults: { -readonly [Name in keyof LinkFaults]?: LinkFaults[Name] } = {}
  if (draw.chance(0.5)) {
    faults.delayMin = draw.spread(1, 100)
    faults.delayMax = faults.delayMin * draw.between(1, 20)
  }
  if (draw.chance(0.4)) faults.loss = draw.fraction() * 0.3
  if (draw.chance(0.4)) faults.duplicateQuestions = draw.fraction() * 0.5
  if (draw.chance(0.4)) faults.duplicateAnswers = draw.fraction() * 0.5
  if (draw.chance(0.4)) faults.reorder = draw.fraction()
  return { ...identity, kind: 'link', from, to, lasts: draw.spread(500, 60_000), faults }
}

function drawPartition(draw: Draw, identity: Identity, room: FaultRoom): FaultEvent {
  const { nodes, victims } = room
  const most = Math.min(victims.length, nodes - 1)
  const side = [...victims]
  while (side.length > most) side.splice(draw.between(0, side.length - 1), 1)
  const size = draw.between(1, most)
  while (side.length > size) side.splice(draw.between(0, side.length - 1), 1)
  return {
    ...identity,
    kind: 'partition',
    side,
    direction: draw.weighted([
      ['both', 3],
      ['out', 1],
      ['in', 1],
    ]),
    lasts: draw.spread(200, 60_000),
    ...(draw.chance(0.2) ? { bridge: draw.between(0, nodes - 1) } : {}),
    ...(draw.chance(0.2) ? { flaps: draw.between(1, 8) } : {}),
  }
}

function drawDisk(draw: Draw, identity: Identity, room: FaultRoom): FaultEvent {
  const passing: readonly (readonly [DiskFault['fault'], number])[] = [
    ['full', 2],
    ['write-fails', 2],
    ['sync-fails', 2],
    ['slow', 2],
    ['read-fails', 1],
  ]
  const damaging: readonly (readonly [DiskFault['fault'], number])[] = [
    ['bit-rot', 2],
    ['read-error', 2],
    ['stale-read', 1],
    ['misdirected-write', 1],
  ]
  const fault = draw.weighted(room.damage ? [...passing, ...damaging] : passing)
  const lasting = fault === 'full' || fault === 'slow' || fault === 'read-fails'
  return {
    ...identity,
    kind: 'disk',
    node: draw.pick(room.victims),
    fault,
    ...(lasting ? { lasts: draw.spread(100, 20_000) } : {}),
    ...(draw.chance(0.5) ? { column: draw.pick(['rows', 'versions'] as const) } : {}),
    pick: draw.between(0, 1_000_000),
  }
}

const HOUR = 3_600_000

function drawClock(draw: Draw, identity: Identity, { victims }: FaultRoom): FaultEvent {
  const change = draw.weighted<ClockFault['change']>([
    ['jump', 6],
    ['skew', 2],
    ['drift', 1],
    ['freeze', 1],
  ])
  const sign = draw.chance(0.5) ? 1 : -1
  const amounts: Readonly<Record<ClockFault['change'], number>> = {
    jump: sign * draw.spread(10, HOUR),
    skew: sign * draw.spread(10, HOUR),
    drift: sign * draw.spread(100, 50_000),
    freeze: 0,
  }
  return {
    ...identity,
    kind: 'clock',
    node: draw.pick(victims),
    change,
    amount: amounts[change],
    lasts: draw.spread(500, 60_000),
  }
}
