import {
  emptyClock,
  etagOf,
  HEADER_BYTES,
  indexOfRequest,
  joinIntoSession,
  liveAt,
  matchesEtag,
  modifiedOf,
  type Session,
  sessionClockFor,
  versionClock,
  visibleCount,
} from '@shoal/causality'
import { limits, type Millis, millis, ShoalError } from '@shoal/kernel'
import type { KnownRow } from '@shoal/replica'
import { hash64, rowKeyName } from '@shoal/ring'
import { resolveConsistency } from './core/consistency.ts'
import { countOf } from './core/judge.ts'
import type { Desk } from './desk.ts'
import { type Place, unreachable } from './place.ts'
import { Progress } from './progress.ts'
import { describeState, gather, type Settings } from './reading.ts'
import type { EffectiveConsistency, Precondition, WriteAnswer, WriteRequest } from './requests.ts'
import { type Reach, reachForWrite } from './stand-ins.ts'
import { WriteOperation, type WriteRefusal, type WriteResult } from './write-operation.ts'

/** What was found out about a write before anything is sent. */
interface Prepared {
  readonly desk: Desk
  readonly place: Place
  readonly request: WriteRequest
  readonly consistency: EffectiveConsistency
  readonly session: Session | undefined
  readonly context: Buffer | undefined
  /** Undefined when the client named no request (V10). */
  readonly requestHash: Buffer | undefined
  readonly deadline: Millis
  readonly progress: Progress
  readonly done: (result: WriteAnswer | ShoalError, progress: Progress) => void
}

/** A client's write, on a replica of its key (V4). Throws a ShoalError before anything is sent. */
export function writeKey(
  desk: Desk,
  settings: Settings,
  place: Place,
  request: WriteRequest,
  done: (result: WriteAnswer | ShoalError, progress: Progress) => void,
): void {
  const { bucket, rowKey, nodes } = place
  const name = rowKeyName(rowKey)
  const rowToken = rowKey.subarray(0, 8)
  const consistency = resolveConsistency(
    request.consistency,
    bucket,
    nodes.length,
    settings.durability,
  )
  const prepared: Prepared = {
    desk,
    place,
    request,
    consistency,
    session:
      request.session === ''
        ? undefined
        : desk.sessions.decode(request.session, { rowToken, name }),
    context: request.context === '' ? undefined : desk.contexts.decode(request.context, name).clock,
    requestHash: request.idempotencyKey === '' ? undefined : hashRequest(request, rowKey),
    deadline: millis(desk.env.clock.elapsed() + request.timeout),
    progress: new Progress(desk.env, place, consistency, request),
    done,
  }
  demandContext(prepared)
  const reach = demandReach(prepared)
  desk.figures.writes++
  if (request.precondition) checkThenPut(prepared, request.precondition)
  else put(prepared, { context: prepared.context }, reach)
}

/** V7 and D1: buckets in which a write must say what it replaces. */
function demandContext({ place, request, context }: Prepared): void {
  if (context !== undefined) return
  const { blindWrites } = place.bucket
  if (request.precondition?.ifNoneMatch?.includes('*') && request.operation === 'put') return
  if (blindWrites === 'reject') {
    throw new ShoalError(
      'SHOAL_CONTEXT_REQUIRED',
      `Bucket ${request.bucket} refuses blind writes.`,
      {
        wanted: 'Causal-Context',
      },
    )
  }
  if (blindWrites === 'sibling' && request.operation === 'delete') {
    throw new ShoalError(
      'SHOAL_CONTEXT_REQUIRED',
      `A DELETE without a context deletes nothing in bucket ${request.bucket}.`,
      { wanted: 'Causal-Context' },
    )
  }
}

function demandReach(prepared: Prepared): Reach {
  const { desk, place, consistency, progress } = prepared
  const { strict, w } = consistency
  const reach = reachForWrite(desk, place, { progress, strict })
  const reachable = reach.asked | reach.spare
  const got = countOf(reachable)
  if (got < w) throw unreachable(desk, place, { wanted: w, got, reachable })
  return reach
}

/** Checked by a quorum read before the write, not atomic with it; the receipt says so. */
function checkThenPut(prepared: Prepared, precondition: Precondition): void {
  const { desk, place, request, progress } = prepared
  const n = place.nodes.length
  const r = Math.floor(n / 2) + 1
  const consistency = { ...prepared.consistency, r, strict: false }
  const gathering = {
    place,
    consistency,
    sessionClock: undefined,
    timeout: request.timeout,
    progress,
  }
  gather(desk, gathering, (result) => {
    if (result instanceof ShoalError) {
      return finish(
        prepared,
        new ShoalError(result.code, result.message, { ...result.details, outcome: 'not-applied' }),
      )
    }
    const { known } = result
    if (isRepeated(prepared, known)) return put(prepared, { context: prepared.context })
    const { etag } = describeState(desk, place, known)
    const failed = failedPrecondition(precondition, etag)
    if (failed) return finish(prepared, preconditionFailed(prepared, failed, etag, known))
    // What was checked is what the write replaces: a writer elsewhere becomes a sibling, not a
    // loss; one through this node in between makes the write fail.
    const checked = known ? versionClock(known.version) : emptyClock
    put(prepared, { context: prepared.context ?? (known && checked), checked })
  })
}

/** A retry must not fail on what its own first try did (V10). */
function isRepeated({ desk, requestHash }: Prepared, known: KnownRow | undefined): boolean {
  if (!requestHash) return false
  if (desk.replica.remembers(requestHash)) return true
  return known !== undefined && indexOfRequest(known.version, requestHash, 0) >= 0
}

function failedPrecondition(precondition: Precondition, etag: string): string | undefined {
  const { ifMatch, ifNoneMatch } = precondition
  if (ifMatch && !matchesEtag(ifMatch, etag, 'strong')) return 'If-Match'
  if (ifNoneMatch && matchesEtag(ifNoneMatch, etag, 'weak')) return 'If-None-Match'
  return undefined
}

function preconditionFailed(
  { desk, place }: Prepared,
  header: string,
  etag: string,
  known: KnownRow | undefined,
): ShoalError {
  desk.figures.preconditionsFailed++
  const clock = known && versionClock(known.version)
  const context = clock && desk.contexts.encode(clock, rowKeyName(place.rowKey))
  return new ShoalError(
    'SHOAL_PRECONDITION_FAILED',
    etag === ''
      ? `${header} does not hold: the key has no value.`
      : `${header} does not hold: the current ETag is ${etag}.`,
    { got: etag, extra: { etag, ...(context ? { context } : {}) } },
  )
}

interface PutBasis {
  /** What the write replaces; undefined for a blind one. */
  readonly context: Buffer | undefined
  /** The clock a precondition was checked against. */
  readonly checked?: Buffer
  /** The own copy was found damaged once and repaired. */
  readonly healed?: boolean
}

/** @param reach  of this moment; left out where time has passed since it was worked out */
function put(prepared: Prepared, basis: PutBasis, reach = reachNow(prepared)): void {
  const { desk, place, request, consistency, session, progress } = prepared
  const { bucket, rowKey } = place
  const operation = new WriteOperation(
    desk,
    {
      put: {
        rowKey,
        tombstone: request.operation === 'delete',
        body: request.body,
        contentType: request.contentType,
        contentEncoding: request.contentEncoding,
        context: basis.context,
        checked: basis.checked,
        seen: session && sessionClockFor(session, rowKey.subarray(0, 8)),
        // A bucket that rejects blind writes lets a checked creation in; it replaces nothing
        // unseen.
        blind: bucket.blindWrites === 'overwrite' ? 'overwrite' : 'sibling',
        expiry: expiryOf(prepared),
        request: prepared.requestHash,
        siblingsMax: bucket.maxSiblings,
      },
      place,
      consistency,
      reach,
      deadline: prepared.deadline,
      progress,
    },
    (result) => {
      if (result instanceof ShoalError) return finish(prepared, result)
      if (!('refused' in result)) return finish(prepared, describeWrite(prepared, result, basis))
      if (result.refused === 'SHOAL_ROW_DAMAGED' && !basis.healed) {
        return healThen(prepared, () => put(prepared, { ...basis, healed: true }))
      }
      finish(prepared, refusalOf(prepared, result))
    },
  )
  operation.start()
}

const reachNow = ({ desk, place, progress, consistency }: Prepared): Reach =>
  reachForWrite(desk, place, { progress, strict: consistency.strict })

/** The own copy is damaged and its values are needed: fetch them from the others first (V11). */
function healThen(prepared: Prepared, retry: () => void): void {
  const { desk, place, consistency, progress } = prepared
  const timeout = millis(Math.max(1, prepared.deadline - desk.env.clock.elapsed()))
  const others = Math.max(1, place.nodes.length - 1)
  const gathering = {
    place,
    consistency: { ...consistency, r: others, strict: false },
    sessionClock: undefined,
    timeout,
    progress,
  }
  try {
    gather(desk, gathering, (result) => {
      if (result instanceof ShoalError) finish(prepared, damaged(prepared))
      // The own row's repair was submitted before this answer came: it is ahead of the retry.
      else retry()
    })
  } catch (error) {
    if (!(error instanceof ShoalError)) throw error
    finish(prepared, damaged(prepared))
  }
}

function damaged({ progress }: Prepared): ShoalError {
  return new ShoalError(
    'SHOAL_DATA_DAMAGED',
    'The copy of this node is damaged and the others could not be read.',
    { outcome: 'not-applied', replicas: progress.reports() },
  )
}

function expiryOf({ desk, place, request }: Prepared): number {
  const ttl = request.ttl > 0 ? request.ttl : place.bucket.ttl
  if (request.operation === 'delete' || ttl === 0) return 0
  return Math.round(desk.env.clock.wall()) + ttl * 1_000
}

function hashRequest({ idempotencyKey }: WriteRequest, rowKey: Buffer): Buffer {
  const hash = Buffer.allocUnsafe(8)
  hash.writeBigUInt64BE(hash64(Buffer.from(idempotencyKey, 'latin1'), rowKey.readBigUInt64BE(0)))
  return hash
}

function describeWrite(
  prepared: Prepared,
  { written, receipt }: WriteResult,
  { checked }: PutBasis,
): WriteAnswer {
  const { desk, place, session, consistency } = prepared
  const { version, context } = written
  const now = desk.env.clock.wall()
  const siblings = visibleCount(version, now)
  if (siblings >= limits.siblingsWarn) desk.figures.siblingsWarned++
  if (place.bucket.conflicts === 'lww' && written.dropped > 1) {
    desk.figures.lostWrites += written.dropped - 1
  }
  const rowToken = place.rowKey.subarray(0, 8)
  return {
    context: desk.contexts.encode(context, rowKeyName(place.rowKey)),
    session: session ? desk.sessions.encode(joinIntoSession(session, rowToken, context)) : '',
    consistency,
    receipt: checked ? { ...receipt, precondition: 'checked' } : receipt,
    etag: etagOf(version, now),
    modified: modifiedOfDot(version, written.actor, written.counter),
    siblings,
  }
}

/**
 * The stamp of the write itself; of the newest value where a later write has already replaced it.
 */
function modifiedOfDot(version: Buffer, actor: Buffer, counter: number): Millis {
  let header = liveAt(version)
  for (let at = header; at < version.length; at += HEADER_BYTES) {
    const isOwn = actor.compare(version, at, at + 8) === 0
    if (isOwn && Number(version.readBigUInt64BE(at + 8)) === counter) return modifiedOf(version, at)
    if (modifiedOf(version, at) > modifiedOf(version, header)) header = at
  }
  return modifiedOf(version, header)
}

function refusalOf(
  { desk, place, request }: Prepared,
  { refused, context }: WriteRefusal,
): ShoalError {
  const notApplied = { outcome: 'not-applied' } as const
  switch (refused) {
    case 'SHOAL_SIBLINGS_FULL': {
      desk.figures.siblingsRefused++
      const token = context && desk.contexts.encode(context, rowKeyName(place.rowKey))
      return new ShoalError(
        refused,
        `The key has ${place.bucket.maxSiblings} values that this write does not replace.`,
        {
          ...notApplied,
          wanted: place.bucket.maxSiblings,
          ...(token ? { extra: { context: token } } : {}),
        },
      )
    }
    case 'SHOAL_PRECONDITION_FAILED':
      desk.figures.preconditionsFailed++
      return new ShoalError(
        refused,
        'Another write came between the check and this one.',
        notApplied,
      )
    case 'SHOAL_IDEMPOTENCY_KEY_REUSED':
      return new ShoalError(
        refused,
        `Idempotency-Key ${request.idempotencyKey} was used for another request to this key.`,
        notApplied,
      )
    case 'SHOAL_OVERLOADED':
      return new ShoalError(refused, 'The write queue of this node is full.', {
        ...notApplied,
        retryAfterMs: 1_000,
      })
    case 'SHOAL_STORAGE_FULL':
      return new ShoalError(refused, 'The disk of this node is full.', {
        ...notApplied,
        retryAfterMs: 5_000,
      })
    default:
      return new ShoalError(
        'SHOAL_DATA_DAMAGED',
        `The disk of this node refused the write: ${refused}.`,
        {
          ...notApplied,
          got: refused,
        },
      )
  }
}

function finish({ desk, done, progress }: Prepared, result: WriteAnswer | ShoalError): void {
  if (result instanceof ShoalError) desk.figures.writesUnmet++
  else desk.figures.writesMet++
  done(result, progress)
}
