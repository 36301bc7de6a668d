/**
 * One call of the caller, over all its tries: which node is asked next, when to wait, when to
 * hedge, when it is over.
 *
 * The obvious loop (`for each try: await send`) cannot say what happens when the deadline passes,
 * the caller aborts, a hedge wins and the first try fails in the same turn. So a call is a machine:
 * events in, effects out, time handed in with the event. The driver in `shell/calls.ts` only
 * translates.
 *
 * What it guarantees (SPEC.md, CL1 to CL6): it settles exactly once, at the latest at its deadline;
 * a write is tried again only by a rule of `retry.ts`; once a try may have been applied, no later
 * failure makes the call say "not applied".
 */
import { invariant, type Millis, millis, unreachable } from '@shoal/kernel'
import { type Failure, failedHere, failedOnTheWay } from './failure.ts'
import { adviseRetry, askedPause, backoff } from './retry.ts'

/** Fixed when the call begins. Times are points on the monotonic clock, spans are spans. */
export interface CallPlan {
  readonly write: boolean
  /** Whether sending it twice does no more than sending it once. */
  readonly repeatable: boolean
  readonly deadline: Millis
  /** What one try is given; the node is told, so that it ends by then. */
  readonly tryTimeout: Millis
  /** When a read that has no answer yet is sent to a second node; undefined for never. */
  readonly hedgeAfter: Millis | undefined
  readonly triesMax: number
}

/**
 * A node this call may turn to, best first. `usable` is false for one thought down or asked to be
 * left alone.
 */
export interface Candidate {
  readonly node: string
  readonly usable: boolean
}

/** What the driver knows at the moment of an event. */
export interface Facts {
  readonly now: Millis
  readonly candidates: readonly Candidate[]
  /** Whether the retry budget, the hedge budget hold a token. */
  readonly retryAllowed: boolean
  readonly hedgeAllowed: boolean
  /** Whether a byte of any running try may have left. */
  readonly sent: boolean
  /** Uniform, 0 ≤ chance < 1. */
  readonly chance: number
}

export type CallEvent =
  | { readonly kind: 'begun'; readonly facts: Facts }
  | { readonly kind: 'answered'; readonly node: string }
  | {
      readonly kind: 'failed'
      readonly node: string
      readonly failure: Failure
      readonly facts: Facts
    }
  | { readonly kind: 'woken'; readonly facts: Facts }
  | { readonly kind: 'aborted'; readonly facts: Facts; readonly reason: unknown }

export type CallEffect =
  | {
      readonly kind: 'send'
      readonly node: string
      /** For the node: end by then. */
      readonly timeout: Millis
      /** `retry` and `hedge` are paid for from their budgets, `first` and `move` are not. */
      readonly as: 'first' | 'move' | 'retry' | 'hedge'
    }
  /** Break the try off: the socket is given up. */
  | { readonly kind: 'cancel'; readonly node: string }
  /** Let the try end by itself and ignore it: the socket stays of use. */
  | { readonly kind: 'abandon'; readonly node: string }
  | { readonly kind: 'succeed'; readonly node: string }
  /** `doubt` is set when an earlier try of this write may have been applied. */
  | { readonly kind: 'fail'; readonly failure: Failure; readonly doubt: Failure | undefined }

interface Try {
  readonly node: string
  /** When the client stops waiting for it. */
  readonly until: Millis
}

interface Progress {
  readonly plan: CallPlan
  /** Sends paid for so far; moves past nodes that could not be reached do not count. */
  readonly tries: number
  /** Nodes that failed since the last pause. */
  readonly failed: readonly string[]
  /** Nodes that had their second try (V10). */
  readonly repeated: readonly string[]
  readonly doubt: Failure | undefined
  readonly last: Failure | undefined
}

export type CallState =
  | { readonly kind: 'new'; readonly plan: CallPlan }
  | {
      readonly kind: 'asking'
      readonly progress: Progress
      readonly running: readonly Try[]
      readonly hedgeAt: Millis | undefined
    }
  | {
      readonly kind: 'resting'
      readonly progress: Progress
      readonly until: Millis
      readonly prefer: string | undefined
    }
  | { readonly kind: 'settled' }

export interface CallStep {
  readonly state: CallState
  readonly effects: readonly CallEffect[]
}

/**
 * How much longer than the node the client waits, so that the node's own account of a timeout
 * arrives.
 */
const GRACE = millis(250)

export const newCall = (plan: CallPlan): CallState => ({ kind: 'new', plan })

/** When the call wants to be woken next; undefined when it has settled. */
export function wakeAt(state: CallState): Millis | undefined {
  switch (state.kind) {
    case 'new':
      return state.plan.deadline
    case 'settled':
      return undefined
    case 'resting':
      return earlier(state.until, state.progress.plan.deadline)
    case 'asking': {
      let at = state.progress.plan.deadline
      if (state.hedgeAt !== undefined) at = earlier(at, state.hedgeAt)
      for (const { until } of state.running) at = earlier(at, until)
      return at
    }
    default:
      return unreachable(state)
  }
}

const earlier = (a: Millis, b: Millis): Millis => (a < b ? a : b)

export function stepCall(state: CallState, event: CallEvent): CallStep {
  if (state.kind === 'settled') return { state, effects: [] }
  switch (event.kind) {
    case 'begun':
      return begin(state, event.facts)
    case 'answered':
      return succeed(state, event.node)
    case 'failed':
      return fail(state, event.node, event.failure, event.facts)
    case 'woken':
      return wake(state, event.facts)
    case 'aborted':
      return abort(state, event.facts, event.reason)
    default:
      return unreachable(event)
  }
}

type Open = Exclude<CallState, { kind: 'settled' }>
type Asking = Extract<CallState, { kind: 'asking' }>

function begin(state: Open, facts: Facts): CallStep {
  invariant(state.kind === 'new', 'a call begins once')
  const node = facts.candidates[0]?.node
  const progress: Progress = {
    plan: state.plan,
    tries: 0,
    failed: [],
    repeated: [],
    doubt: undefined,
    last: undefined,
  }
  if (node === undefined) {
    return settle(
      [],
      progress,
      failedHere('SHOAL_CLIENT_UNREACHABLE', 'the client knows no node to ask'),
    )
  }
  return send(progress, node, 'first', facts)
}

function succeed(state: Open, node: string): CallStep {
  invariant(state.kind === 'asking', 'an answer belongs to a running try')
  const others = state.running.filter((other) => other.node !== node)
  invariant(others.length < state.running.length, 'an answer comes from a node that was asked')
  return {
    state: { kind: 'settled' },
    effects: [
      ...others.map((other) => ({ kind: 'abandon', node: other.node }) as const),
      { kind: 'succeed', node },
    ],
  }
}

function fail(state: Open, node: string, failure: Failure, facts: Facts): CallStep {
  invariant(state.kind === 'asking', 'a failure belongs to a running try')
  const progress = noted(state.progress, node, failure)
  const running = state.running.filter((other) => other.node !== node)
  invariant(running.length < state.running.length, 'a failure comes from a node that was asked')
  if (running.length > 0 && adviseRetry(failure).again) {
    return { state: { ...state, progress, running }, effects: [] }
  }
  if (running.length > 0) return settle(running, progress, failure)
  return tryAgain(progress, failure, facts)
}

function noted(progress: Progress, node: string, failure: Failure): Progress {
  const applied = progress.plan.write && failure.outcome === 'unknown'
  return {
    ...progress,
    failed: progress.failed.includes(node) ? progress.failed : [...progress.failed, node],
    doubt: progress.doubt ?? (applied ? failure : undefined),
    last: failure,
  }
}

/** Nothing is running any more: send again, rest, or give up. */
function tryAgain(progress: Progress, failure: Failure, facts: Facts): CallStep {
  const advice = adviseRetry(failure)
  if (!advice.again) return settle([], progress, failure)
  if (failure.outcome === 'unknown' && !progress.plan.repeatable) {
    return settle([], progress, failure)
  }

  const other = untried(progress, facts, { usableOnly: !advice.free })
  if (advice.free && other !== undefined) return send(progress, other, 'move', facts)
  if (progress.tries >= progress.plan.triesMax || !facts.retryAllowed) {
    return settle([], progress, failure)
  }

  const same = advice.where === 'same' && mayRepeat(progress, failure.node, facts)
  if (same && advice.pause === 'none') return send(progress, failure.node, 'retry', facts)
  if (!same && other !== undefined && advice.pause !== 'backoff') {
    return send(progress, other, 'retry', facts)
  }
  const pause =
    advice.pause === 'asked'
      ? askedPause(failure, progress.tries, facts.chance)
      : backoff(progress.tries, facts.chance)
  const until = millis(facts.now + pause)
  // To rest beyond the deadline would only turn this failure into a vaguer one.
  if (until >= progress.plan.deadline) return settle([], progress, failure)
  return {
    state: { kind: 'resting', progress, until, prefer: same ? failure.node : other },
    effects: [],
  }
}

/** V10: the coordinator that may hold the write is asked once more before another one is. */
const mayRepeat = (progress: Progress, node: string, facts: Facts): boolean =>
  !progress.repeated.includes(node) &&
  facts.candidates.some((candidate) => candidate.node === node && candidate.usable)

function untried(
  progress: Progress,
  facts: Facts,
  { usableOnly }: { usableOnly: boolean },
): string | undefined {
  const fresh = facts.candidates.filter(({ node }) => !progress.failed.includes(node))
  return (fresh.find(({ usable }) => usable) ?? (usableOnly ? undefined : fresh[0]))?.node
}

function send(
  progress: Progress,
  node: string,
  as: 'first' | 'move' | 'retry',
  facts: Facts,
): CallStep {
  const { plan } = progress
  const { until, timeout } = timesOf(plan, facts.now)
  const paid = as !== 'move'
  const again = progress.failed.includes(node)
  const hedgeAt = plan.hedgeAfter === undefined ? undefined : millis(facts.now + plan.hedgeAfter)
  return {
    state: {
      kind: 'asking',
      progress: {
        ...progress,
        tries: progress.tries + (paid ? 1 : 0),
        repeated: again ? [...progress.repeated, node] : progress.repeated,
      },
      running: [{ node, until }],
      hedgeAt,
    },
    effects: [{ kind: 'send', node, timeout, as }],
  }
}

/**
 * A node is told a little less than what is left of the call, so that its own account of a timeout
 * (which replicas answered, which did not) arrives before the call's deadline.
 */
function timesOf(plan: CallPlan, now: Millis): { until: Millis; timeout: Millis } {
  const left = plan.deadline - now
  const forNode = Math.min(plan.tryTimeout, left - Math.min(50, left / 10))
  return {
    timeout: millis(Math.max(1, Math.floor(forNode))),
    until: earlier(plan.deadline, millis(now + plan.tryTimeout + GRACE)),
  }
}

function wake(state: Open, facts: Facts): CallStep {
  invariant(state.kind !== 'new', 'a call is woken after it began')
  const { plan } = state.progress
  if (facts.now >= plan.deadline) return expire(state, facts)
  if (state.kind === 'resting') {
    if (facts.now < state.until) return { state, effects: [] }
    return resume(state.progress, state.prefer, facts)
  }
  const late = state.running.filter(({ until }) => until <= facts.now)
  if (late.length > 0) return silence(state, late, facts)
  if (state.hedgeAt === undefined || facts.now < state.hedgeAt) return { state, effects: [] }
  return hedge(state, facts)
}

/** The pause is over. A round that failed everywhere begins anew. */
function resume(progress: Progress, prefer: string | undefined, facts: Facts): CallStep {
  const last = progress.last
  invariant(last !== undefined, 'a call rests after a failure')
  if (!facts.retryAllowed) return settle([], progress, last)
  const preferred = facts.candidates.find(({ node, usable }) => node === prefer && usable)
  const node = (preferred ?? facts.candidates[0])?.node
  if (node === undefined) return settle([], progress, last)
  const sent = send(progress, node, 'retry', facts)
  invariant(sent.state.kind === 'asking', 'a send leaves the call asking')
  const renewed: Progress = { ...sent.state.progress, failed: [] }
  return { state: { ...sent.state, progress: renewed }, effects: sent.effects }
}

function silence(state: Asking, late: readonly Try[], facts: Facts): CallStep {
  const { plan } = state.progress
  let progress = state.progress
  let failure: Failure | undefined
  for (const { node } of late) {
    failure = failedOnTheWay('silent', {
      node,
      write: plan.write,
      message: `${node} did not answer within ${plan.tryTimeout} ms`,
    })
    progress = noted(progress, node, failure)
  }
  invariant(failure !== undefined, 'silence belongs to a try')
  const cancels = late.map(({ node }) => ({ kind: 'cancel', node }) as const)
  const running = state.running.filter((other) => !late.includes(other))
  if (running.length > 0) {
    return { state: { ...state, progress, running }, effects: cancels }
  }
  const next = tryAgain(progress, failure, facts)
  return { state: next.state, effects: [...cancels, ...next.effects] }
}

function hedge(state: Asking, facts: Facts): CallStep {
  const { progress, running } = state
  const spare = facts.candidates.find(
    ({ node, usable }) => usable && !running.some((other) => other.node === node),
  )
  if (spare === undefined || !facts.hedgeAllowed) {
    return { state: { ...state, hedgeAt: undefined }, effects: [] }
  }
  const { until, timeout } = timesOf(progress.plan, facts.now)
  return {
    state: { ...state, running: [...running, { node: spare.node, until }], hedgeAt: undefined },
    effects: [{ kind: 'send', node: spare.node, timeout, as: 'hedge' }],
  }
}

function expire(state: Exclude<Open, { kind: 'new' }>, facts: Facts): CallStep {
  const { progress } = state
  const running = state.kind === 'asking' ? state.running : []
  const unknown = progress.plan.write && facts.sent
  const seen = progress.last === undefined ? '' : `; before that: ${progress.last.message}`
  const failure = failedHere(
    'SHOAL_CLIENT_TIMEOUT',
    `no answer before the deadline of the call, ${progress.tries} tried${seen}`,
    {
      outcome: unknown ? 'unknown' : 'not-applied',
      node: running.at(-1)?.node ?? progress.last?.node ?? '',
    },
  )
  return settle(running, progress, failure)
}

function abort(state: Open, facts: Facts, reason: unknown): CallStep {
  const running = state.kind === 'asking' ? state.running : []
  const plan = state.kind === 'new' ? state.plan : state.progress.plan
  const failure = failedHere('SHOAL_CLIENT_ABORTED', 'the caller aborted the call', {
    outcome: plan.write && facts.sent ? 'unknown' : 'not-applied',
    node: running.at(-1)?.node ?? '',
    cause: reason,
  })
  return settle(running, state.kind === 'new' ? undefined : state.progress, failure)
}

function settle(
  running: readonly Try[],
  progress: Progress | undefined,
  failure: Failure,
): CallStep {
  return {
    state: { kind: 'settled' },
    effects: [
      ...running.map(({ node }) => ({ kind: 'cancel', node }) as const),
      { kind: 'fail', failure, doubt: progress?.doubt },
    ],
  }
}
