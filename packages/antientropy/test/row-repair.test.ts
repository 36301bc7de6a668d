import { emptyClock, mergeVersions, putVersion, relate, zeroStamp } from '@shoal/causality'
import fc from 'fast-check'
import t from 'tap'
import type { Holding } from '../src/core/key-lists.ts'
import {
  beginRow,
  type RowEffect,
  type RowEvent,
  type RowOutcome,
  stepRow,
} from '../src/core/row-repair.ts'
import { holds, seed } from './support/holds.ts'

t.comment(`seed ${seed}`)

/** A replica of one key: its version record, and whether the row behind it is intact. */
interface Copy {
  readonly version: Buffer | undefined
  readonly intact: boolean
}

const actor = (index: number): Buffer => Buffer.alloc(8, index + 1)

function write(version: Buffer | undefined, by: number, counter: number, blind: boolean): Buffer {
  const context = blind || version === undefined ? emptyClock : version
  return putVersion(version, context, {
    actor: actor(by),
    counter,
    tombstone: false,
    stamp: zeroStamp,
    request: Buffer.alloc(8),
    expiry: 0,
  }).version
}

/** As a replica merges: a damaged copy is replaced by what contains it, and by nothing else. */
function merge(copy: Copy, incoming: Buffer, heal: boolean): Copy | 'refused' {
  if (copy.version === undefined) return { version: incoming, intact: true }
  const relation = relate(copy.version, incoming)
  if (!copy.intact) {
    if (relation === 'take') return { version: incoming, intact: true }
    if (relation === 'same') return heal ? { version: incoming, intact: true } : copy
    return relation === 'keep' && !heal ? copy : 'refused'
  }
  return { version: mergeVersions(copy.version, incoming).version, intact: true }
}

const holdingOf = ({ version, intact }: Copy): Holding => {
  if (version === undefined) return 'absent'
  return intact ? 'held' : 'damaged'
}

interface Played {
  readonly own: Copy
  readonly theirs: Copy
  readonly outcome: RowOutcome
  readonly sent: readonly RowEffect['kind'][]
}

function play(
  ownBefore: Copy,
  theirsBefore: Copy,
  listed?: { own: Holding; theirs: Holding },
): Played {
  let [own, theirs] = [ownBefore, theirsBefore]
  let pulled: Buffer | undefined
  const sent: RowEffect['kind'][] = []
  const answer = (effect: RowEffect): RowEvent => {
    switch (effect.kind) {
      case 'readOwn':
        return own.version && !own.intact
          ? { kind: 'ownDamaged' }
          : { kind: 'ownRead', version: own.version }
      case 'askVersion':
        if (theirs.version && !theirs.intact) return { kind: 'theirsDamaged' }
        if (theirs.version && own.version?.equals(theirs.version)) return { kind: 'same' }
        return { kind: 'theirVersion', version: theirs.version }
      case 'pull':
        if (theirs.version === undefined) return { kind: 'theirVersion', version: undefined }
        if (!theirs.intact) return { kind: 'theirsDamaged' }
        pulled = theirs.version
        return { kind: 'pulled', version: theirs.version }
      case 'merge': {
        const merged = merge(own, pulled as Buffer, effect.heal)
        if (merged === 'refused') return { kind: 'failed', code: 'SHOAL_ROW_DAMAGED' }
        own = merged
        return { kind: 'merged', version: merged.version as Buffer }
      }
      case 'push': {
        if (own.version === undefined) return { kind: 'failed', code: 'SHOAL_STORE_FAILED' }
        if (!own.intact) return { kind: 'ownDamaged' }
        const merged = merge(theirs, own.version, effect.heal)
        if (merged === 'refused') return { kind: 'theirsDamaged' }
        theirs = merged
        return { kind: 'pushed' }
      }
      default:
        throw new Error('nothing follows the end')
    }
  }
  const difference = {
    rowKey: Buffer.from('k'),
    ...(listed ?? { own: holdingOf(own), theirs: holdingOf(theirs) }),
  }
  let { state, effect } = beginRow(difference)
  for (let steps = 0; effect.kind !== 'end'; steps++) {
    if (steps > 12) throw new Error('it comes to no end')
    sent.push(effect.kind)
    const next = stepRow(state, answer(effect))
    state = next.state
    effect = next.effect
  }
  return { own, theirs, outcome: effect.outcome, sent }
}

const base = write(undefined, 0, 1, true)
const newer = write(base, 0, 2, false)
const mine = write(base, 1, 1, true)
const yours = write(base, 2, 1, true)
const whole = (version: Buffer | undefined): Copy => ({ version, intact: true })
const broken = (version: Buffer): Copy => ({ version, intact: false })

t.test('X11: a row travels only where something is lacking', async (t) => {
  t.same(play(whole(newer), whole(base)).sent, ['readOwn', 'askVersion', 'push'])
  t.same(play(whole(base), whole(newer)).sent, ['readOwn', 'askVersion', 'pull', 'merge'])
  t.same(play(whole(mine), whole(yours)).sent, ['readOwn', 'askVersion', 'pull', 'merge', 'push'])
  t.same(play(whole(undefined), whole(base)).sent, ['pull', 'merge'])
  t.same(play(whole(base), whole(undefined)).sent, ['readOwn', 'askVersion', 'push'])
  t.same(play(whole(base), whole(base), { own: 'held', theirs: 'held' }).sent, [
    'readOwn',
    'askVersion',
  ])
})

const versions = fc.constantFrom(base, newer, mine, yours)
const anyCopy: fc.Arbitrary<Copy> = fc.oneof(
  fc.constant(whole(undefined)),
  fc.record({ version: versions, intact: fc.boolean() }),
)
const anyHolding = fc.constantFrom<Holding>('held', 'absent', 'damaged', 'unknown')

t.test('X12: whatever was listed and whatever is there, nothing gets less', async (t) => {
  const contains = (after: Copy, before: Copy): boolean => {
    if (before.version === undefined) return true
    if (after.version === undefined) return false
    const relation = relate(after.version, before.version)
    return relation === 'same' || relation === 'keep'
  }
  const property = fc.property(
    anyCopy,
    anyCopy,
    fc.option(fc.record({ own: anyHolding, theirs: anyHolding }), { nil: undefined }),
    (own, theirs, listed) => {
      const after = play(own, theirs, listed)
      if (!contains(after.own, own) || !contains(after.theirs, theirs)) return false
      if (after.outcome.result !== 'equal') return true
      const isSame =
        after.own.version === undefined
          ? after.theirs.version === undefined
          : after.theirs.version?.equals(after.own.version) === true
      return listed !== undefined || (isSame && after.own.intact && after.theirs.intact)
    },
  )
  t.ok(holds(property, 3_000))
})

t.test('X12: an intact copy that contains the damaged one replaces it', async (t) => {
  const pairs = [
    [broken(base), whole(newer)],
    [broken(base), whole(base)],
    [whole(newer), broken(base)],
    [whole(base), broken(base)],
  ] as const
  for (const [own, theirs] of pairs) {
    const after = play(own, theirs)
    t.match(after.outcome, { result: 'equal', healed: true })
    t.ok(after.own.intact && after.theirs.intact)
  }
  t.match(play(broken(newer), whole(base)).outcome, { result: 'unhealed' })
  t.match(play(broken(base), broken(base)).outcome, { result: 'unhealed' })
  t.match(play(broken(base), whole(undefined)).outcome, { result: 'unhealed' })
})

t.test('a copy found damaged on the way is asked of the other side instead', async (t) => {
  const listed = { own: 'held', theirs: 'held' } as const
  t.same(play(broken(base), whole(newer), listed).sent, ['readOwn', 'pull', 'merge'])
  t.same(play(whole(newer), broken(base), listed).sent, ['readOwn', 'askVersion', 'push'])
})

t.test('a failure ends it, to be tried another time', async (t) => {
  const begun = beginRow({ rowKey: Buffer.from('k'), own: 'absent', theirs: 'held' })
  const { effect } = stepRow(begun.state, { kind: 'failed', code: 'SHOAL_PEER_LOST' })
  t.match(effect, { kind: 'end', outcome: { result: 'failed', code: 'SHOAL_PEER_LOST' } })
})

t.test('copies that contradict each other are left alone', async (t) => {
  const other = write(undefined, 0, 1, true)
  other[other.length - 1] = 7
  const after = play(whole(base), whole(other))
  t.match(after.outcome, { result: 'failed', code: 'SHOAL_ROWS_CONTRADICT' })
})
