import { type Env, type Millis, millis, ShoalError } from '@shoal/kernel'
import { type DeadlineEntry, type Deadlines, unlisted } from './deadlines.ts'
import type { BucketProperties } from './requests.ts'

/** The bucket in which bucket properties live, one key for each bucket. Closed to clients. */
export const SYSTEM_BUCKET = '_shoal.buckets'

/** Bucket properties as a coordinator needs them. */
export interface KnownBuckets {
  of(bucket: string): BucketProperties
  /**
   * False on a disk that has never been told which buckets there are. Absent: they are known.
   *
   * Such a node would take every bucket for a default one. It would write to nodes that hold no
   * copy, count too small a quorum and replace values where the bucket keeps them.
   */
  readonly isKnown?: boolean
  /** Calls `work` once, as soon as they are. @returns  takes it back */
  whenKnown?(work: () => void): () => void
}

interface Asked {
  readonly bucket: string
  readonly timeout: Millis
}

/** Goes on with a request once the buckets are known, or refuses it at its deadline (O2). */
export function waitForBuckets<Q extends Asked>(
  parts: {
    readonly env: Env
    readonly deadlines: Deadlines
    readonly buckets: KnownBuckets
  },
  request: Q,
  { go, refuse }: { go: (request: Q) => void; refuse: (error: ShoalError) => void },
): void {
  const { env, deadlines, buckets } = parts
  const deadline = millis(env.clock.elapsed() + request.timeout)
  const wait = new Wait(() => {
    takeBack?.()
    refuse(unknownBuckets(request))
  })
  deadlines.add(wait, deadline)
  const takeBack = buckets.whenKnown?.(() => {
    deadlines.remove(wait)
    go({ ...request, timeout: millis(Math.max(1, deadline - env.clock.elapsed())) })
  })
}

class Wait implements DeadlineEntry {
  deadlineTick: number = unlisted.deadlineTick
  deadlineBefore: DeadlineEntry | undefined
  deadlineAfter: DeadlineEntry | undefined
  readonly onDeadline: () => void

  constructor(onDeadline: () => void) {
    this.onDeadline = onDeadline
  }
}

function unknownBuckets({ bucket }: Asked): ShoalError {
  return new ShoalError(
    'SHOAL_QUORUM_UNREACHABLE',
    `This node is new and found no quorum that could tell it the properties of ${bucket}.`,
    { retryAfterMs: 1_000 },
  )
}
