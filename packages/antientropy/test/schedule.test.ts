import {
  createSeededRandom,
  limits,
  millis,
  type NodeId,
  nodeId,
  type Partition,
} from '@shoal/kernel'
import fc from 'fast-check'
import t from 'tap'
import { type PairKey, Schedule } from '../src/core/schedule.ts'
import { holds, seed } from './support/holds.ts'

t.comment(`seed ${seed}`)

const [ada, bob] = [nodeId('ada'), nodeId('bob')]
const pair = (partition: number, peer: NodeId): PairKey => ({
  partition: partition as Partition,
  peer,
})
const anyone = () => true
const at = (seconds: number) => millis(seconds * 1_000)

/** Some pairs, all of them compared once at second 0. */
function compared(keys: readonly PairKey[]): Schedule {
  const schedule = new Schedule({ now: at(0) })
  schedule.setPairs(keys, at(0))
  for (const key of keys) end(schedule, key, 0)
  return schedule
}

function end(schedule: Schedule, key: PairKey, second: number, complete = true): void {
  schedule.begun(key)
  const now = at(second)
  schedule.ended(key, { complete, beganAt: now, divergent: 3, now, chance: 0.5 })
}

t.test('a pair that was just compared is left alone until it is due', async (t) => {
  const schedule = compared([pair(0, ada)])
  t.equal(schedule.next(at(200), anyone), undefined)
  t.match(schedule.next(at(400), anyone), pair(0, ada))
  t.ok((schedule.nextDueAt() as number) <= limits.exchangeInterval * 0.75)
})

t.test(
  'X15: who came back goes before who is dirty, and those before who is due (E3)',
  async (t) => {
    const keys = [pair(0, ada), pair(1, ada), pair(2, ada), pair(3, bob)]
    const schedule = compared(keys)
    schedule.urge(pair(1, ada), 'dirty', at(400))
    schedule.returned(bob, at(401))
    const order: number[] = []
    for (let next = schedule.next(at(402), anyone); next; next = schedule.next(at(402), anyone)) {
      order.push(next.partition)
      end(schedule, next, 402)
    }
    t.same(order.slice(0, 2), [3, 1])
    t.same(order.slice(2).sort(), [0, 2])
  },
)

t.test('a peer that is busy or down is passed over', async (t) => {
  const schedule = compared([pair(0, ada), pair(1, bob)])
  t.match(
    schedule.next(at(400), (peer) => peer === bob),
    pair(1, bob),
  )
  t.equal(
    schedule.next(at(400), () => false),
    undefined,
  )
})

t.test('X16: a write missed while the pair is compared makes it be compared again', async (t) => {
  const schedule = compared([pair(0, ada)])
  schedule.begun(pair(0, ada))
  schedule.urge(pair(0, ada), 'dirty', at(10))
  schedule.ended(pair(0, ada), {
    ...{ complete: true, beganAt: at(9), divergent: 0, now: at(11), chance: 0 },
  })
  t.match(schedule.next(at(11), anyone), { partition: 0, reason: 'dirty' })
  end(schedule, pair(0, ada), 12)
  t.equal(schedule.next(at(13), anyone), undefined)
})

t.test('what failed is tried again, later each time, and stays unverified', async (t) => {
  const schedule = compared([pair(0, ada)])
  let now = 400
  const waits: number[] = []
  for (let tries = 0; tries < 12; tries++) {
    end(schedule, pair(0, ada), now, false)
    const due = (schedule.nextDueAt() as number) / 1_000
    waits.push(due - now)
    now = due
  }
  t.same(
    waits,
    [...waits].sort((one, other) => one - other),
  )
  t.ok((waits.at(-1) as number) * 1_000 <= limits.exchangeRetryMax)
  t.match(schedule.figures(at(now)), { divergentSegments: 3, oldestUnverified: now * 1_000 })
  end(schedule, pair(0, ada), now)
  t.match(schedule.figures(at(now)), { divergentSegments: 0, oldestUnverified: 0 })
})

t.test('equal roots found by the peer count for both', async (t) => {
  const schedule = compared([pair(0, ada)])
  schedule.foundEqual(pair(0, ada), at(400), 0)
  t.equal(schedule.next(at(401), anyone), undefined)
  schedule.foundEqual(pair(9, ada), at(400), 0)
})

t.test(
  'pairs follow the ring: those that are gone are forgotten, new ones come first',
  async (t) => {
    const schedule = compared([pair(0, ada), pair(1, ada)])
    schedule.setPairs([pair(1, ada), pair(1, bob)], at(1))
    t.match(schedule.next(at(1), anyone), { ...pair(1, bob), reason: 'returned' })
    t.equal(schedule.figures(at(1)).pairs, 2)
    t.equal(schedule.figures(at(1)).unverified, 1)
    end(schedule, pair(0, ada), 2)
    t.equal(schedule.find(pair(0, ada)), undefined, 'an exchange of a pair that is gone is none')
  },
)

t.test('X15: no pair waits longer than the interval, whatever exchanges take (E3)', async (t) => {
  const property = fc.property(
    fc.nat(1_000_000),
    fc.integer({ min: 1, max: 400 }),
    (draw, slow) => {
      const random = createSeededRandom(`schedule ${seed} ${draw}`)
      const keys = Array.from({ length: 128 }, (_none, index) => [
        pair(index, ada),
        pair(index, bob),
      ]).flat()
      const schedule = new Schedule({ now: at(0) })
      schedule.setPairs(keys, at(0))
      const begun = new Map<string, number>()
      let now = 0
      let longest = 0
      // One after the other: the worst that one node can do.
      while (now < 3 * limits.exchangeInterval) {
        const next = schedule.next(millis(now), anyone)
        if (!next) {
          now = Math.max(now + 1, schedule.nextDueAt() ?? now + 1)
          continue
        }
        const name = `${next.partition} ${next.peer}`
        const last = begun.get(name)
        if (last !== undefined) longest = Math.max(longest, now - last)
        begun.set(name, now)
        schedule.begun(next)
        const beganAt = millis(now)
        now += 1 + random.below(slow)
        const chance = random.below(1_000) / 1_000
        schedule.ended(next, {
          ...{ complete: true, beganAt, divergent: 0, now: millis(now), chance },
        })
      }
      return begun.size === keys.length && longest <= limits.exchangeInterval
    },
  )
  t.ok(holds(property, 6))
})

t.test(
  'what is due at one moment is taken by lot: two nodes seldom begin with the same',
  async (t) => {
    const draw = (chances: readonly number[]): number[] => {
      const left = [...chances]
      const schedule = new Schedule({ now: at(0) })
      const keys = chances.map((_chance, index) => pair(index, ada))
      schedule.setPairs(keys, at(0), () => left.shift() ?? 0)
      const order: number[] = []
      for (let next = schedule.next(at(0), () => true); next; ) {
        order.push(next.partition)
        schedule.begun(next)
        next = schedule.next(at(0), () => true)
      }
      return order
    }
    t.same(draw([0.5, 0.1, 0.9]), [1, 0, 2])
    t.same(draw([0.2, 0.4, 0.1]), [2, 0, 1])
  },
)

t.test('a pair that the peer has begun to make equal is left to it for a while', async (t) => {
  const schedule = new Schedule({ now: at(0) })
  schedule.setPairs([pair(1, ada)], at(0))
  schedule.foundDifferent(pair(1, ada), at(0))
  t.equal(
    schedule.next(at(0.999), () => true),
    undefined,
  )
  t.match(
    schedule.next(at(1), () => true),
    pair(1, ada),
  )
})
