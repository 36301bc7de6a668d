import { isDeleted, mergeVersions, relate, validateVersion } from '@shoal/causality'
import {
  type ErrorCode,
  type Millis,
  millis,
  type NodeId,
  ShoalError,
  type Timer,
} from '@shoal/kernel'
import type { Listing } from '@shoal/replica'
import { answerKinds, decodeListed, decodeRefusal, encodeList, questionKinds } from '@shoal/wire'
import { resolveConsistency } from './core/consistency.ts'
import { coverPartitions } from './core/cover.ts'
import type { Desk } from './desk.ts'
import { readable } from './ports.ts'
import type { Settings } from './reading.ts'
import type {
  BucketProperties,
  Consistency,
  Follower,
  ListAnswer,
  ListRequest,
} from './requests.ts'

/** A key with the merge of the versions that the replicas asked hold. */
export interface ListedKey {
  readonly key: string
  readonly version: Buffer
}

const ONE: Consistency = { level: 'one', strict: false }

/** Live keys of a bucket in order; tombstones and expired values filtered (D2). */
export async function listBucket(
  desk: Desk,
  settings: Settings,
  bucket: BucketProperties,
  request: ListRequest,
): Promise<ListAnswer> {
  const n = Math.min(bucket.n, desk.ring().copies)
  const consistency = resolveConsistency(request.consistency ?? ONE, bucket, n, settings.durability)
  const keys: string[] = []
  const deadline = millis(desk.env.clock.elapsed() + request.timeout)
  let { after } = request
  for (;;) {
    // Pages may be short and many: only peers are asked with a deadline (O2).
    if (desk.env.clock.elapsed() >= deadline) throw tooLate(keys.length)
    const limit = request.limit - keys.length + 1
    const page = await listVersions(desk, {
      ...request,
      after,
      limit,
      n,
      need: consistency.r,
      deadline,
    })
    for (const { key, version } of page.keys) {
      if (isDeleted(version, desk.env.clock.wall())) continue
      if (keys.length === request.limit) return { keys, more: true, consistency }
      keys.push(key)
    }
    if (page.next === undefined) return { keys, more: false, consistency }
    after = page.next
  }
}

interface PageRequest {
  readonly bucket: string
  readonly prefix: string
  readonly after: string
  readonly limit: number
  readonly n: number
  readonly need: number
  readonly deadline: Millis
  readonly follower?: Follower | undefined
}

/**
 * One page over all partitions: each is asked of `need` of its primaries, and what they hold of a
 * key is merged. `next` is where the following page begins, undefined when this was the last.
 */
export async function listVersions(
  desk: Desk,
  request: PageRequest,
): Promise<{ keys: readonly ListedKey[]; next: string | undefined }> {
  const cover = coverPartitions(desk.ring(), {
    n: request.n,
    need: request.need,
    prefer: desk.self,
    isUp: (node) => node === desk.self || desk.peers.isUp(node),
    isDoubted: (node) => desk.liveness?.isUsable(node) === false,
  })
  if ('short' in cover) throw uncovered(request.need, cover)
  const pages = await Promise.all(
    [...cover].map(([node, partitions]) =>
      node === desk.self
        ? ownPage(desk, { ...request, partitions })
        : askForPage(desk, node, { ...request, partitions }),
    ),
  )
  return mergePages(pages)
}

/**
 * A page that is not finished says nothing about keys behind its last one, so only keys up to the
 * smallest such end are sure to have been seen by everyone asked.
 */
function mergePages(pages: readonly Listing[]): { keys: ListedKey[]; next: string | undefined } {
  let end: Buffer | undefined
  for (const { entries, finished } of pages) {
    const last = entries.at(-1)
    if (finished || !last) continue
    const bytes = Buffer.from(last.key)
    if (!end || bytes.compare(end) < 0) end = bytes
  }
  const merged = new Map<string, { bytes: Buffer; version: Buffer }>()
  for (const { entries } of pages) {
    for (const { key, version } of entries) {
      const bytes = Buffer.from(key)
      if (end && bytes.compare(end) > 0) break
      const known = merged.get(key)
      merged.set(key, { bytes, version: known ? joinVersions(known.version, version) : version })
    }
  }
  const sorted = [...merged].sort(([, one], [, other]) => one.bytes.compare(other.bytes))
  const keys = sorted.map(([key, { version }]) => ({ key, version }))
  return { keys, next: end?.toString() }
}

function joinVersions(one: Buffer, other: Buffer): Buffer {
  const relation = relate(one, other)
  if (relation === 'mix') return mergeVersions(one, other).version
  return relation === 'take' ? other : one
}

/** What the own disk could not read, or not in time, fails the page as a peer's would. */
async function ownPage(
  desk: Desk,
  request: PageRequest & { partitions: Buffer },
): Promise<Listing> {
  const { clock } = desk.env
  let timer: Timer | undefined
  const late = new Promise<never>((_resolve, reject) => {
    const left = Math.max(1, request.deadline - clock.elapsed())
    timer = clock.after(millis(left), () => reject(pageFailed(desk.self, 'SHOAL_PEER_TIMEOUT')))
  })
  try {
    return await Promise.race([desk.replica.list(request), late])
  } catch (error) {
    if (!(error instanceof ShoalError)) throw error
    if (error.code === 'SHOAL_QUORUM_TIMEOUT') throw error
    throw pageFailed(desk.self, error.code)
  } finally {
    timer?.cancel()
  }
}

function askForPage(
  desk: Desk,
  to: NodeId,
  request: PageRequest & { partitions: Buffer },
): Promise<Listing> {
  const timeout = millis(Math.max(1, request.deadline - desk.env.clock.elapsed()))
  const { follower } = request
  const body = encodeList(request)
  const trace = follower?.carried
  const question = { to, kind: questionKinds.list, body, timeout, tag: 0, trace }
  follower?.happened(to, 'asked')
  return new Promise((resolve, reject) => {
    const refuse = (code: ErrorCode): void => reject(pageFailed(to, code))
    desk.peers.ask(question, {
      answered: (_tag, kind, body) => {
        if (kind !== answerKinds.listed) {
          return refuse(kind === answerKinds.refused ? decodeRefusal(body) : 'SHOAL_FRAME_INVALID')
        }
        const page = readable(() => decodeListed(body))
        const sound = page?.entries.every(({ version }) => validateVersion(version) === undefined)
        follower?.happened(to, page && sound ? 'listed' : 'SHOAL_FRAME_INVALID')
        if (page && sound) resolve(page)
        else refuse('SHOAL_FRAME_INVALID')
      },
      failed: (_tag, code) => refuse(code),
    })
  })
}

const tooLate = (got: number): ShoalError =>
  new ShoalError('SHOAL_QUORUM_TIMEOUT', 'The listing did not come to its end in time.', {
    outcome: 'not-applied',
    got,
  })

function pageFailed(node: NodeId, code: ErrorCode): ShoalError {
  return new ShoalError('SHOAL_QUORUM_TIMEOUT', `Node ${node} did not list its keys: ${code}.`, {
    outcome: 'not-applied',
    replicas: [{ node, role: 'primary', state: code, ms: 0 }],
  })
}

function uncovered(wanted: number, { short, got }: { short: number; got: number }): ShoalError {
  return new ShoalError(
    'SHOAL_QUORUM_UNREACHABLE',
    `Wanted ${wanted} primaries of every partition; ${got} of partition ${short} can be reached.`,
    { wanted, got, retryAfterMs: 1_000 },
  )
}
