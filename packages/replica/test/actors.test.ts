import { createSeededRandom, millis, minutes, type Partition } from '@shoal/kernel'
import t from 'tap'
import { Actors } from '../src/core/actors.ts'

const one = 1 as Partition
const two = 2 as Partition
const stop = millis(1_700_000_000_000)
const ageMax = minutes(10)
const create = (marker?: Buffer, later = 1_000): Actors => {
  const kept = marker && { marker, now: millis(stop + later), ageMax }
  return new Actors(createSeededRandom('actors'), kept)
}

t.test('an actor issues each counter once, over all keys of its partition (P1, A1)', async (t) => {
  const actors = create()
  const counters = [1, 2, 3].map(() => actors.next(one).counter)
  t.same(counters, [1, 2, 3])
  t.equal(actors.next(two).counter, 1)
  t.notSame(actors.of(one).id, actors.of(two).id)
})

t.test(
  'after a clean stop the counters go on; after any other one the actor is new (P2, A2)',
  async (t) => {
    const before = create()
    before.next(one)
    before.next(one)
    const after = create(before.encode(stop))
    t.same(after.of(one).id, before.of(one).id)
    t.equal(after.next(one).counter, 3)
    const random = createSeededRandom('another')
    const crashed = new Actors(random)
    t.notSame(crashed.of(one).id, before.of(one).id)
  },
)

t.test('a marker of long ago, or of a time to come, is no proof (P2, A2)', async (t) => {
  const before = create()
  before.next(one)
  const marker = before.encode(stop)
  t.ok(create(marker, 600_000).areKept)
  for (const later of [600_001, -1, 24 * 3_600_000]) {
    const after = create(marker, later)
    t.notOk(after.areKept)
    t.equal(after.peek(one), undefined, 'it may be that of a copy put back')
  }
})

t.test('a marker that cannot be read is no proof', async (t) => {
  const marker = create().encode(stop)
  marker[0] = 99
  t.equal(create(marker).peek(one), undefined)
  const odd = create()
  odd.next(one)
  t.equal(create(odd.encode(stop).subarray(0, -1)).peek(one), undefined)
})

t.test(
  'a rotated actor starts anew under another id, and the old one is never given out again',
  async (t) => {
    const actors = create()
    const { id } = actors.next(one)
    const rotated = actors.rotate(one)
    t.notSame(rotated.id, id)
    t.equal(actors.next(one).counter, 1)
    t.equal(actors.minted, 2)
  },
)
