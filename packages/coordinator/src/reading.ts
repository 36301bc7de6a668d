import {
  compareStamps,
  emptyClock,
  etagOf,
  etagOfDot,
  HEADER_BYTES,
  isVisible,
  joinIntoSession,
  liveAt,
  modifiedOf,
  sessionClockFor,
  stampOf,
  versionClock,
} from '@shoal/causality'
import { type Millis, millis, ShoalError } from '@shoal/kernel'
import type { KnownRow } from '@shoal/replica'
import { rowKeyName } from '@shoal/ring'
import { decodeValue, rowBlocks } from '@shoal/storage'
import { resolveConsistency } from './core/consistency.ts'
import { bit } from './core/judge.ts'
import { indices } from './core/write-machine.ts'
import type { Desk } from './desk.ts'
import { doubtedOf, type Place, reachableOf, unreachable } from './place.ts'
import { Progress } from './progress.ts'
import { ReadOperation, type ReadPlan, type ReadResult } from './read-operation.ts'
import type { EffectiveConsistency, KeyRequest, LiveValue, ReadAnswer } from './requests.ts'
import { standInsFor } from './stand-ins.ts'

/** The settings of a node that requests may override. */
export interface Settings {
  readonly durability: 'fsync' | 'memory'
}

/** A read under way, whoever wants it: a client, a precondition, a repair. */
export interface Gathering {
  readonly place: Place
  readonly consistency: EffectiveConsistency
  readonly sessionClock: Buffer | undefined
  readonly timeout: Millis
  readonly progress: Progress
}

/**
 * Asks the replicas of a key.
 *
 * @throws SHOAL_QUORUM_UNREACHABLE  before anything is sent
 */
export function gather(
  desk: Desk,
  { place, consistency, sessionClock, timeout, progress }: Gathering,
  done: (result: ReadResult | ShoalError) => void,
): void {
  const reachable = reachableOf(desk, place)
  const order = orderOf(desk, place, { reachable, progress, strict: consistency.strict })
  const got = order.length
  if (got < consistency.r) throw unreachable(desk, place, { wanted: consistency.r, got, reachable })
  const plan: ReadPlan = {
    place,
    consistency,
    order,
    sessionClock,
    deadline: millis(desk.env.clock.elapsed() + timeout),
    progress,
  }
  new ReadOperation(desk, plan, done).start()
}

/**
 * This node first, then the fastest (Q2), those thought dead last. Before them those who may stand
 * in for them, and for whoever cannot be reached (Q4).
 */
function orderOf(
  desk: Desk,
  place: Place,
  asked: { readonly reachable: number; readonly progress: Progress; readonly strict: boolean },
): number[] {
  const { nodes, self } = place
  const { reachable, progress, strict } = asked
  const doubted = doubtedOf(desk, place, reachable)
  const missing = (bit(nodes.length) - 1) & ~(reachable & ~doubted)
  const order = indices(reachable)
  if (missing !== 0 && !strict) {
    order.push(...indices(progress.enlist(standInsFor(desk, place, missing))))
  }
  const rank = (candidate: number): number => {
    if (candidate === self) return -1
    const isOwn = progress.nodes[candidate] === desk.self
    if (candidate >= nodes.length) return isOwn ? STANDING_IN : STANDING_IN + candidate
    const speed = desk.speeds.of(nodes[candidate] as (typeof nodes)[number])
    return (doubted & bit(candidate)) === 0 ? speed : DOUBTED + speed
  }
  order.sort((one, other) => rank(one) - rank(other))
  return desk.env.inject('coordinator: the slowest first') ? order.reverse() : order
}

/** More than any speed. */
const STANDING_IN = 1e6
const DOUBTED = 2e6

/** A client's read. */
export function readKey(
  desk: Desk,
  settings: Settings,
  place: Place,
  request: KeyRequest,
  done: (result: ReadAnswer | ShoalError, progress: Progress) => void,
): void {
  const consistency = resolveConsistency(
    request.consistency,
    place.bucket,
    place.nodes.length,
    settings.durability,
  )
  const session =
    request.session === ''
      ? undefined
      : desk.sessions.decode(request.session, {
          rowToken: place.rowKey.subarray(0, 8),
          name: rowKeyName(place.rowKey),
        })
  const progress = new Progress(desk.env, place, consistency, request)
  desk.figures.reads++
  gather(
    desk,
    {
      place,
      consistency,
      sessionClock: session && sessionClockFor(session, place.rowKey.subarray(0, 8)),
      timeout: request.timeout,
      progress,
    },
    (result) => {
      if (result instanceof ShoalError) {
        desk.figures.readsUnmet++
        return done(result, progress)
      }
      desk.figures.readsMet++
      const { known, receipt } = result
      const clock = known ? versionClock(known.version) : emptyClock
      const nextSession =
        session &&
        desk.sessions.encode(joinIntoSession(session, place.rowKey.subarray(0, 8), clock))
      done(
        {
          ...describeState(desk, place, known),
          context: desk.contexts.encode(clock, rowKeyName(place.rowKey)),
          session: nextSession ?? '',
          consistency,
          receipt,
        },
        progress,
      )
    },
  )
}

/** What a client sees of a key: live values, their tag, their time. */
export function describeState(
  desk: Desk,
  place: Place,
  known: KnownRow | undefined,
): Pick<ReadAnswer, 'values' | 'etag' | 'modified'> {
  if (!known) return { values: [], etag: '', modified: millis(0) }
  const { version, row } = known
  const now = desk.env.clock.wall()
  const visible: number[] = []
  let newest = 0
  for (
    let header = liveAt(version), index = 0;
    header < version.length;
    header += HEADER_BYTES, index++
  ) {
    if (!isVisible(version, header, now)) continue
    visible.push(index)
    if (newest === 0 || compareStamps(stampOf(version, header), stampOf(version, newest)) > 0) {
      newest = header
    }
  }
  if (visible.length === 0) return { values: [], etag: '', modified: millis(0) }
  const blocks = rowBlocks(row)
  const winner = (newest - liveAt(version)) / HEADER_BYTES
  const shown = place.bucket.conflicts === 'lww' ? [winner] : visible
  return {
    values: shown.map((index) => liveValue(blocks[index] as Buffer)),
    etag: etagOf(version, now),
    modified: modifiedOf(version, newest),
  }
}

function liveValue(block: Buffer): LiveValue {
  const { contentType, contentEncoding, body } = decodeValue(block)
  return {
    etag: etagOfDot(block),
    contentType,
    contentEncoding,
    body,
    modified: modifiedOf(block, 0),
  }
}
