/** The small pure parts: failures, advice, budgets, opinions, orders, tokens, receipts. */
import { type ErrorCode, errorCatalogue, limits, millis } from '@shoal/kernel'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { Budget } from '../src/core/budget.ts'
import { faultOfKey } from '../src/core/check.ts'
import { formatConsistency } from '../src/core/consistency.ts'
import { asksForRest, refusedBy } from '../src/core/failure.ts'
import { NodeHealth } from '../src/core/health.ts'
import { LatencyWindow } from '../src/core/latency.ts'
import { segment } from '../src/core/operation.ts'
import { epochOf, parseReceipt } from '../src/core/receipt.ts'
import { adviseRetry, askedPause, backoff } from '../src/core/retry.ts'
import { mayReplace, nodeUrl, type RingView, readRing } from '../src/core/ring-view.ts'
import { orderCandidates } from '../src/core/route.ts'
import { joinAnswer, type SessionTokens, sessionHeader } from '../src/core/session-tokens.ts'
import { judgeRound } from '../src/core/update.ts'
import { lost, refusal, silent, unsent } from './support/facts.ts'

const seed = { seed: 20_071_014, numRuns: 1_000 }

function holds<Drawn>(t: Test, property: fc.IProperty<Drawn>): void {
  fc.assert(property, seed)
  t.pass(`${seed.numRuns} runs from seed ${seed.seed}`)
}

t.test('every error of the catalogue is tried again only as its advice allows (CL2)', async (t) => {
  for (const code of Object.keys(errorCatalogue) as ErrorCode[]) {
    const { status, retry, outcome } = errorCatalogue[code]
    if (status === 0) continue
    const advice = adviseRetry(refusal(code))
    if (retry === 'never' || retry === 'after-read') {
      t.same(advice, { again: false }, code)
      continue
    }
    const where = status === 503 ? 'other' : 'same'
    const pause = retry === 'after' ? 'asked' : 'backoff'
    t.same(advice, { again: true, where, pause, free: false }, code)
    if (where === 'other') t.equal(outcome, 'not-applied', `${code}: nothing was sent`)
  }
})

t.test('failures on the way', async (t) => {
  t.match(adviseRetry(unsent()), { where: 'other', pause: 'none', free: true })
  t.match(adviseRetry(lost()), { where: 'same', pause: 'none', free: false })
  t.match(adviseRetry(silent()), { where: 'same', free: false }, 'a write goes back (CL3)')
  t.match(adviseRetry(silent('a', false)), { where: 'other' })
  t.same(adviseRetry({ ...lost(), source: 'garbled', retry: 'never' }), { again: false })
})

const answered = (status: number, write: boolean, problem?: unknown) =>
  refusedBy({ status, problem, retryAfter: '', requestId: '', node: 'a', write })

t.test('an error without a problem document is judged by its status, carefully', async (t) => {
  t.match(answered(502, true), { outcome: 'unknown', retry: 'if-idempotent' })
  t.match(answered(503, true), { outcome: 'unknown' }, 'a proxy cannot promise that nothing came')
  t.match(answered(503, false), { outcome: 'not-applied', retry: 'if-idempotent' })
  t.match(answered(429, true), {
    code: 'SHOAL_RATE_LIMITED',
    retry: 'after',
    outcome: 'not-applied',
  })
  t.match(answered(401, true), { code: 'SHOAL_UNAUTHENTICATED', retry: 'never' })
  t.match(answered(418, true), { retry: 'never', outcome: 'not-applied' })
  t.match(answered(302, true), { code: 'SHOAL_CLIENT_RESPONSE_INVALID', retry: 'never' })
})

t.test('a problem document decides, as far as it makes sense', async (t) => {
  const problem = {
    status: 503,
    code: 'SHOAL_OF_TOMORROW',
    detail: 'new',
    retry: 'after',
    outcome: 'not-applied',
    replicas: [{ node: 'n1' }],
  }
  t.match(answered(503, true, problem), {
    ...problem,
    message: 'new',
    detail: undefined,
    replicas: undefined,
    problem,
  })
  const odd = {
    status: 503,
    code: 'SHOAL_OVERLOADED',
    title: 'Busy',
    retry: 'maybe',
    outcome: 1,
    replicas: 'x',
  }
  const failure = answered(503, true, odd)
  t.match(failure, { retry: 'after', outcome: 'not-applied', message: 'Busy' })
  t.equal(failure.problem?.replicas, undefined)
  t.match(answered(500, true, 'text'), { code: 'SHOAL_INTERNAL', problem: undefined })
  t.match(answered(500, true, { code: 5 }), { problem: undefined })
  t.ok(asksForRest(refusal('SHOAL_DRAINING')))
  t.notOk(asksForRest(refusal('SHOAL_QUORUM_UNREACHABLE')))
})

t.test('a back-off has full jitter and a bound', async (t) => {
  holds(
    t,
    fc.property(
      fc.integer({ min: 1, max: 64 }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (attempt, chance) => {
        const pause = backoff(attempt, chance)
        return (
          pause >= 0 &&
          pause <= Math.min(1_000, 25 * 2 ** (attempt - 1)) &&
          askedPause({ ...lost(), retryAfter: millis(500) }, attempt, chance) >= 500
        )
      },
    ),
  )
})

t.test('a budget is a share of the work plus a burst, whatever the order (CL5)', async (t) => {
  holds(
    t,
    fc.property(fc.array(fc.boolean(), { maxLength: 2_000 }), (steps) => {
      const budget = new Budget({ ratio: 0.1, max: 10 })
      let calls = 0
      let spent = 0
      for (const retry of steps) {
        if (!retry) {
          budget.earn()
          calls++
        } else if (budget.available) {
          budget.spend()
          spent++
        }
      }
      return spent <= 10 + calls * 0.1 + 1e-9
    }),
  )
  const empty = new Budget({ ratio: 0, max: 1 })
  empty.spend()
  t.throws(() => empty.spend(), { name: 'InvariantViolation' })
})

t.test('the 95th percentile needs 20 reads and follows the last 128', async (t) => {
  const window = new LatencyWindow()
  for (let index = 1; index < 20; index++) window.add(millis(index))
  t.equal(window.p95, undefined)
  window.add(millis(20))
  t.equal(window.p95, 19)
  for (let index = 0; index < 128; index++) window.add(millis(500))
  t.equal(window.p95, 500)
})

t.test(
  'a node is down at once when unreachable or frozen, and after three losses in a row (CL8)',
  async (t) => {
    for (const trouble of ['unreachable', 'frozen'] as const) {
      const health = new NodeHealth()
      health.failed(trouble)
      t.equal(health.down, true, trouble)
      t.equal(health.usable(millis(0)), false)
      health.revived()
      t.equal(health.usable(millis(0)), true)
    }
    const health = new NodeHealth()
    health.failed('broken')
    health.failed('broken')
    health.answered(millis(0), millis(1))
    health.failed('broken')
    health.failed('broken')
    t.equal(health.down, false, 'an answer between starts the count anew')
    health.failed('broken')
    t.equal(health.down, true)
    health.answered(millis(0), millis(1))
    t.equal(health.down, false, 'any answer brings it back')
  },
)

t.test('latency is known after some answers, and forgotten after a silence', async (t) => {
  const health = new NodeHealth()
  for (let count = 1; count < 8; count++) health.answered(millis(count), millis(100))
  t.equal(health.latency(millis(8)), undefined, 'the first answers pay for connections')
  health.answered(millis(8), millis(180))
  t.equal(health.latency(millis(5_008)), 110)
  t.equal(health.latency(millis(5_009)), undefined, 'a slow node gets another chance')
  for (let count = 0; count < 8; count++) health.answered(millis(6_000), millis(3))
  t.equal(health.latency(millis(6_000)), 3)
  for (let count = 0; count < 20; count++) health.answered(millis(6_000), millis(100))
  t.ok((health.latency(millis(6_000)) ?? 0) > 80)
})

t.test('probes of a dead node come ever more rarely, but they come (CL8)', async (t) => {
  const health = new NodeHealth()
  health.failed('unreachable')
  const pauses = Array.from({ length: 8 }, () => health.nextProbe(0))
  t.same(pauses, [250, 500, 1_000, 2_000, 4_000, 5_000, 5_000, 5_000])
  t.ok(health.nextProbe(0.999) >= 3_750)
  health.revived()
  health.failed('unreachable')
  t.equal(health.nextProbe(0), 250)
})

t.test('a node that asked for rest is left alone for as long, within a bound', async (t) => {
  const health = new NodeHealth()
  health.cool(millis(100), millis(1_000))
  t.equal(health.usable(millis(1_099)), false)
  t.equal(health.usable(millis(1_100)), true)
  health.cool(millis(0), millis(3_600_000))
  t.equal(health.usable(millis(5_000)), true)
})

const order = (
  primaries: readonly string[],
  others: readonly string[],
  opinions: Record<string, { usable?: boolean; latency?: number }> = {},
) =>
  orderCandidates(primaries, others, (node) => ({
    usable: opinions[node]?.usable ?? true,
    latency: opinions[node]?.latency === undefined ? undefined : millis(opinions[node].latency),
  })).map(({ node, usable }) => (usable ? node : `-${node}`))

t.test('primaries come first, in their order; the slow and the down later (CL7)', async (t) => {
  t.same(order(['a', 'b', 'c'], ['a', 'd', 'b', 'e']), ['a', 'b', 'c', 'd', 'e'])
  t.same(
    order(['a', 'b', 'c'], ['d'], { a: { latency: 8 }, b: { latency: 2 }, c: { latency: 3 } }),
    ['a', 'b', 'c', 'd'],
    'a little slower is not slow',
  )
  t.same(
    order(['a', 'b', 'c'], ['d'], { a: { latency: 80 }, b: { latency: 2 }, c: { latency: 3 } }),
    ['b', 'c', 'a', 'd'],
  )
  t.same(order(['a', 'b'], [], { a: { latency: 900 } }), ['a', 'b'], 'slow is by comparison')
  t.same(order(['a', 'b'], ['c', 'd'], { a: { usable: false }, c: { usable: false } }), [
    'b',
    'd',
    '-a',
    '-c',
  ])
  t.same(order(['a'], [], { a: { usable: false } }), ['-a'], 'an opinion excludes nobody')
  t.same(order(['a', 'a'], ['a']), ['a'])
})

t.test('candidates are bounded, hold no node twice, and lose no primary (CL7, CL16)', async (t) => {
  const node = fc.constantFrom(...'abcdefghijklmnop')
  holds(
    t,
    fc.property(
      fc.array(node, { maxLength: 7 }),
      fc.array(node, { maxLength: 20 }),
      fc.dictionary(node, fc.record({ usable: fc.boolean(), latency: fc.nat(100) })),
      (primaries, others, opinions) => {
        const nodes = order(primaries, others, opinions).map((text) => text.replace('-', ''))
        return (
          nodes.length <= limits.clientCandidatesMax &&
          new Set(nodes).size === nodes.length &&
          primaries.every((primary) => nodes.includes(primary))
        )
      },
    ),
  )
})

const record = {
  epoch: 3,
  partitions: 2,
  replicas: 2,
  members: [
    { id: 'n1', url: 'http://127.0.0.1:1/' },
    { id: 'n2', url: '127.0.0.1:2' },
  ],
  table: [
    ['n1', 'n2'],
    ['n2', 'n1'],
  ],
}

t.test('a ring is taken if it holds together, and never goes back (CL10)', async (t) => {
  const view = readRing(record) as RingView
  t.same(view.members, ['http://127.0.0.1:1', 'http://127.0.0.1:2'])
  t.same(view.table[1], ['http://127.0.0.1:2', 'http://127.0.0.1:1'])
  const broken: [object | null, RegExp][] = [
    [null, /not an object/],
    [{ ...record, epoch: 0 }, /epoch/],
    [{ ...record, partitions: 3 }, /partitions/],
    [{ ...record, partitions: 1 << 20 }, /partitions/],
    [{ ...record, members: 5 }, /members/],
    [{ ...record, table: [['n1']] }, /table/],
    [{ ...record, members: [{ id: 'n1' }] }, /lacks/],
    [{ ...record, members: [{ id: 'n1', url: 'ftp://x' }] }, /url of n1/],
    [{ ...record, table: [['n1'], []] }, /no nodes/],
    [{ ...record, table: [['n1'], ['n9']] }, /stranger/],
  ]
  for (const [ring, why] of broken) t.match(readRing(ring), why)
  t.ok(mayReplace(undefined, view))
  t.ok(mayReplace(view, view))
  t.notOk(mayReplace(view, { ...view, epoch: 2 }))
})

t.test('addresses have one spelling', async (t) => {
  t.equal(nodeUrl('localhost:4100'), 'http://localhost:4100')
  t.equal(nodeUrl('HTTPS://Example.org/shoal/'), 'https://example.org/shoal')
  t.equal(nodeUrl('http://[::1]:4100'), 'http://[::1]:4100')
  for (const text of ['', 'http://', 'ftp://x', 'http://x/?a=1', 'http://u@x', 'a b']) {
    t.equal(nodeUrl(text), undefined, text)
  }
})

t.test('a session forgets nothing an answer covered; its list stays short (CL13)', async (t) => {
  // Each token covers a set of events: those of the tokens its request carried, and one more.
  const steps = fc.array(fc.record({ begin: fc.boolean(), pick: fc.nat(7) }), { maxLength: 200 })
  const remembers = (chosen: readonly { begin: boolean; pick: number }[]): boolean => {
    const covers = new Map<string, ReadonlySet<number>>()
    const eventsOf = (list: SessionTokens) => list.flatMap((token) => [...covers.get(token)!])
    const running: SessionTokens[] = []
    let tokens: SessionTokens = []
    let events = 0
    for (const { begin, pick } of chosen) {
      if (begin && running.length < limits.clientSessionParallelMax) running.push(tokens)
      else if (running.length > 0) {
        const [sent = []] = running.splice(pick % running.length, 1)
        const token = `t${++events}`
        covers.set(token, new Set([events, ...eventsOf(sent)]))
        tokens = joinAnswer(tokens, { sent, token })
      }
      if (new Set(eventsOf(tokens)).size !== events) return false
      if (tokens.length > limits.clientSessionParallelMax) return false
    }
    return true
  }
  holds(t, fc.property(steps, remembers))
})

t.test(
  'the header of a session is bounded, the newest token always in it (CL13, CL16)',
  async (t) => {
    t.equal(sessionHeader([]), 'new')
    let tokens: SessionTokens = []
    for (const name of 'abcdefg') {
      tokens = joinAnswer(tokens, { sent: [], token: name.repeat(limits.sessionTokenBytesMax) })
    }
    t.ok(sessionHeader(tokens).length <= limits.clientSessionHeaderBytesMax)
    t.equal(tokens.at(-1)?.[0], 'g')
  },
)

t.test('a receipt is read, whatever else it says', async (t) => {
  const text = [
    'n=3, need=2, ack=2, primaries=1, fallbacks=1, durable=2, hinted=2, repaired=0',
    'epoch=41, node="n\\"1", precondition=checked',
  ].join(', ')
  t.same(parseReceipt(text), {
    n: 3,
    need: 2,
    ack: 2,
    primaries: 1,
    fallbacks: 1,
    durable: 2,
    hinted: 2,
    repaired: 0,
    epoch: 41,
    node: 'n"1',
    precondition: 'checked',
  })
  t.equal(epochOf(text), 41)
  t.match(parseReceipt('n=3,future;x=1,node="b"'), { n: 3, need: 0, node: 'b', durable: undefined })
  t.match(parseReceipt('()garbage'), { n: 0, node: '' })
  t.equal(epochOf(''), 0)
})

t.test('consistency is said as the header wants it', async (t) => {
  t.equal(formatConsistency(undefined), '')
  t.equal(formatConsistency('one'), 'one')
  t.equal(formatConsistency({ r: 1, w: 3, durable: 0 }), 'quorum;r=1;w=3;durable=0')
  t.equal(formatConsistency({ level: 'all', strict: true }), 'all;strict')
})

t.test('keys survive the path', async (t) => {
  holds(
    t,
    fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }), (key) => {
      if (faultOfKey(key) !== undefined) return true
      const text = segment(key)
      return decodeURIComponent(text) === key && !/[./?#]/.test(text)
    }),
  )
})

t.test('an update begins again only when that is safe and helps (CL14)', async (t) => {
  const round = { round: 1, roundsMax: 2, chance: 0.5 }
  t.match(judgeRound({ retry: 'after-read', outcome: 'not-applied' }, round), { kind: 'again' })
  t.match(judgeRound({ retry: 'after-read', outcome: 'unknown' }, round), { kind: 'give-up' })
  t.match(judgeRound({ retry: 'never', outcome: 'not-applied' }, round), { kind: 'give-up' })
  t.match(judgeRound({ retry: 'after-read', outcome: 'not-applied' }, { ...round, round: 2 }), {
    kind: 'exhausted',
  })
})
