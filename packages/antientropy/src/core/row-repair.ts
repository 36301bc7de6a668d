import { type Relation, relate } from '@shoal/causality'
import { type ErrorCode, ShoalError, unreachable } from '@shoal/kernel'
import type { Difference } from './key-lists.ts'

/**
 * One key that two replicas hold differently, made equal (E2).
 *
 * The obvious way fetches the peer's row and sends the merged one back. Mostly one side is simply
 * behind, and then one of the two rows travelled in vain: so where both hold the key, versions are
 * compared first, and a row travels only towards whoever lacks something.
 *
 * Nothing is ever overwritten: both sides merge (V2). A copy that fails its checksums is replaced
 * by the other (`heal`) and is never sent (V11).
 */
export interface RowRepair {
  readonly doing: 'readOwn' | 'askVersion' | 'pull' | 'merge' | 'push' | 'nothing'
  /** What the copy here needs: replace it if it fails its checksums. */
  readonly healOwn: boolean
  readonly healTheirs: boolean
  /** The row here was found damaged, or theirs: it must come from the other side. */
  readonly ownDamaged: boolean
  readonly theirsDamaged: boolean
  /** Our version, once read. */
  readonly version: Buffer | undefined
  /** Theirs, once known. */
  readonly theirVersion: Buffer | undefined
  readonly pulled: boolean
  readonly pushed: boolean
}

export type RowEvent =
  /** The own row was read: its version, or undefined when this replica does not hold the key. */
  | { readonly kind: 'ownRead'; readonly version: Buffer | undefined }
  | { readonly kind: 'ownDamaged' }
  /** The peer's version; undefined when it does not hold the key. */
  | { readonly kind: 'theirVersion'; readonly version: Buffer | undefined }
  /** The peer has the version that we have. */
  | { readonly kind: 'same' }
  | { readonly kind: 'theirsDamaged' }
  /** The peer's row has arrived and passed its checksums. */
  | { readonly kind: 'pulled'; readonly version: Buffer }
  /** Merged and on disk here; `version` is what this replica holds now. */
  | { readonly kind: 'merged'; readonly version: Buffer }
  /** Merged and on disk there. */
  | { readonly kind: 'pushed' }
  | { readonly kind: 'failed'; readonly code: ErrorCode }

export type RowEffect =
  | { readonly kind: 'readOwn' }
  | { readonly kind: 'askVersion' }
  | { readonly kind: 'pull' }
  | { readonly kind: 'merge'; readonly heal: boolean }
  /** Send the row as it is here now. */
  | { readonly kind: 'push'; readonly heal: boolean }
  | { readonly kind: 'end'; readonly outcome: RowOutcome }

export interface RowOutcome {
  /**
   * `equal`: both hold the same now. `unhealed`: no intact copy that would do is on either side.
   * `failed`: try again another time.
   */
  readonly result: 'equal' | 'unhealed' | 'failed'
  readonly pulled: boolean
  readonly pushed: boolean
  /** A damaged copy was replaced. */
  readonly healed: boolean
  readonly code?: ErrorCode
}

export interface RowStep {
  readonly state: RowRepair
  readonly effect: RowEffect
}

export function beginRow({ own, theirs }: Difference): RowStep {
  const isLost = (holding: Difference['own']) => holding === 'damaged' || holding === 'unknown'
  const state: RowRepair = {
    doing: 'nothing',
    healOwn: isLost(own),
    healTheirs: isLost(theirs),
    ownDamaged: own === 'damaged',
    theirsDamaged: theirs === 'damaged',
    version: undefined,
    theirVersion: undefined,
    pulled: false,
    pushed: false,
  }
  if (own === 'held') return read(state)
  return theirs === 'held' ? pull(state) : end(state, 'unhealed')
}

export function stepRow(state: RowRepair, event: RowEvent): RowStep {
  switch (event.kind) {
    case 'ownRead':
      return onOwnRead({ ...state, version: event.version })
    case 'ownDamaged':
      return onOwnDamaged({ ...state, ownDamaged: true, healOwn: true })
    case 'theirVersion':
      return onTheirVersion({ ...state, theirVersion: event.version })
    case 'same':
      return end(state, 'equal')
    case 'theirsDamaged':
      return onTheirsDamaged(state)
    case 'pulled': {
      const next: RowRepair = { ...state, doing: 'merge', theirVersion: event.version }
      return { state: next, effect: { kind: 'merge', heal: true } }
    }
    case 'merged':
      return onMerged({ ...state, version: event.version, pulled: true, ownDamaged: false })
    case 'pushed':
      return end({ ...state, pushed: true, theirsDamaged: false }, 'equal')
    case 'failed':
      return onFailed(state, event.code)
    default:
      return unreachable(event)
  }
}

function onOwnRead(state: RowRepair): RowStep {
  if (state.version === undefined) {
    return state.theirsDamaged ? end(state, 'unhealed') : pull(state)
  }
  // A damaged copy there has no version worth asking for.
  return state.healTheirs ? push(state) : askVersion(state)
}

function onOwnDamaged(state: RowRepair): RowStep {
  const isHopeless = state.theirsDamaged || state.pulled
  return isHopeless ? end(state, 'unhealed') : pull(state)
}

function onTheirVersion(state: RowRepair): RowStep {
  const { version, theirVersion } = state
  if (version === undefined) return theirVersion ? pull(state) : end(state, 'equal')
  if (theirVersion === undefined) return push(state)
  const relation = relationOf(version, theirVersion)
  if (relation === undefined) return onFailed(state, 'SHOAL_ROWS_CONTRADICT')
  return relation === 'keep' ? push(state) : pull(state)
}

/** Undefined for copies that contradict each other (V1): neither may win. */
function relationOf(version: Buffer, theirs: Buffer): Relation | undefined {
  try {
    return relate(version, theirs)
  } catch (error) {
    if (error instanceof ShoalError) return undefined
    throw error
  }
}

function onTheirsDamaged(state: RowRepair): RowStep {
  if (state.doing === 'push' && state.healTheirs) return end(state, 'unhealed')
  const next = { ...state, theirsDamaged: true, healTheirs: true }
  if (state.ownDamaged) return end(next, 'unhealed')
  return state.doing === 'push' || state.version ? push(next) : read(next)
}

/** Both may hold something the other lacks: then what came of the merge goes back. */
function onMerged(state: RowRepair): RowStep {
  const { version, theirVersion } = state
  const isEqual = version && theirVersion?.equals(version)
  return isEqual ? end(state, 'equal') : push(state)
}

function onFailed(state: RowRepair, code: ErrorCode): RowStep {
  const step = end(state, code === 'SHOAL_ROW_DAMAGED' ? 'unhealed' : 'failed')
  const outcome = (step.effect as { outcome: RowOutcome }).outcome
  return { state: step.state, effect: { kind: 'end', outcome: { ...outcome, code } } }
}

const read = (state: RowRepair): RowStep => ({
  state: { ...state, doing: 'readOwn' },
  effect: { kind: 'readOwn' },
})

const askVersion = (state: RowRepair): RowStep => ({
  state: { ...state, doing: 'askVersion' },
  effect: { kind: 'askVersion' },
})

const pull = (state: RowRepair): RowStep => ({
  state: { ...state, doing: 'pull' },
  effect: { kind: 'pull' },
})

const push = (state: RowRepair): RowStep => ({
  state: { ...state, doing: 'push' },
  effect: { kind: 'push', heal: state.healTheirs },
})

function end(state: RowRepair, result: RowOutcome['result']): RowStep {
  const { pulled, pushed, healOwn, healTheirs } = state
  const healed = (pulled && healOwn) || (pushed && healTheirs)
  return {
    state: { ...state, doing: 'nothing' },
    effect: { kind: 'end', outcome: { result, pulled, pushed, healed } },
  }
}
