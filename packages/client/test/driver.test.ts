/** Calls on virtual time: deadlines, pauses, hedges, budgets, aborts. */
import { getEventListeners } from 'node:events'
import { limits } from '@shoal/kernel'
import t from 'tap'
import { rejection, startVirtual } from './support/virtual.ts'

const nodes = ['http://a', 'http://b', 'http://c']
const busy = { code: 'SHOAL_OVERLOADED', retry: 'after', outcome: 'not-applied' }

t.test(
  'a call without an answer ends at its deadline, and leaves nothing (CL1, CL6)',
  async (t) => {
    const { client, net, env, advance } = startVirtual(nodes, { tryTimeoutMs: 60_000 })
    const call = rejection(client.put('b', 'k', 'v', { timeoutMs: 1_000 }))
    await advance(999)
    t.equal(client.status().openCalls, 1)
    await advance(1)
    t.match(await call, {
      name: 'DeadlineExceeded',
      code: 'SHOAL_CLIENT_TIMEOUT',
      outcome: 'unknown',
    })
    t.equal(net.last.cancelled, true)
    t.equal(client.status().openCalls, 0)
    await advance(1_000)
    net.probes.at(-1)?.end(true)
    await advance(10_000)
    t.equal(env.pendingTimers, 0)
  },
)

t.test(
  'a write that fails all along keeps one key, and goes back to its coordinator (CL2, CL3)',
  async (t) => {
    const { client, net, advance } = startVirtual(nodes)
    const call = client.put('b', 'k', 'v')
    await advance(0)
    net.last.fail('lost')
    net.last.fail('lost')
    net.last.fail('not-sent')
    net.last.answer(204, { 'causal-context': 'c1.x' })
    t.equal((await call).context, 'c1.x')
    t.same(
      net.sent.map(({ url }) => url),
      ['http://a', 'http://a', 'http://b', 'http://c'],
    )
    const keys = new Set(net.sent.map((sent) => sent.header('idempotency-key')))
    t.equal(keys.size, 1)
    t.match([...keys][0], /^[\w-]{22}$/)
    const other = client.put('b', 'k', 'v')
    await advance(0)
    t.notOk(keys.has(net.last.header('idempotency-key')), 'another write has another key')
    net.last.answer(204)
    await other
  },
)

t.test(
  'a precondition that fails after a lost try is not said to be "not applied" (CL4)',
  async (t) => {
    const { client, net, advance } = startVirtual(['http://a'])
    const call = rejection(client.put('b', 'k', 'v', { ifMatch: '"1"' }))
    await advance(0)
    net.last.fail('lost')
    net.last.refuse(412, {
      code: 'SHOAL_PRECONDITION_FAILED',
      retry: 'after-read',
      outcome: 'not-applied',
    })
    const error = await call
    t.match(error, {
      name: 'ConnectionLost',
      outcome: 'unknown',
      code: 'SHOAL_CLIENT_CONNECTION_LOST',
    })
    t.match(error.cause, { name: 'PreconditionFailed', outcome: 'not-applied' })
  },
)

t.test('Retry-After is kept, and the node is spared meanwhile', async (t) => {
  const { client, net, advance } = startVirtual(['http://a', 'http://b'])
  const call = client.put('b', 'k', 'v')
  await advance(0)
  net.last.refuse(503, busy, { 'retry-after': '1' })
  t.equal(net.last.url, 'http://b', 'the other is asked at once')
  net.last.refuse(503, busy, { 'retry-after': '1' })
  t.match(client.status().nodes, [{ state: 'resting' }, { state: 'resting' }])
  await advance(999)
  t.equal(net.sent.length, 2)
  await advance(100)
  t.equal(net.sent.length, 3)
  net.last.answer(204)
  await call
})

async function learnLatency({ client, net, advance }: ReturnType<typeof startVirtual>, ms: number) {
  for (let count = 0; count < 20; count++) {
    const call = client.get('b', 'k')
    await advance(ms)
    net.last.answer(200)
    await call
  }
}

t.test('a read slower than most goes to a second node; the first answer wins (CL5)', async (t) => {
  const virtual = startVirtual(nodes, { hedge: true })
  const { client, net, env, advance } = virtual
  await learnLatency(virtual, 30)
  const call = client.get('b', 'k')
  await advance(29)
  t.equal(net.waiting.length, 1)
  await advance(2)
  const [slow, hedge] = net.waiting
  t.equal(net.waiting.length, 2)
  t.not(slow?.url, hedge?.url)
  hedge?.answer(200, {}, 'quick')
  const read = await call
  t.equal(read.kind === 'value' && read.value.text(), 'quick')
  t.equal(slow?.cancelled, false, 'the loser may end by itself')
  slow?.answer(200, {}, 'slow')
  await advance(10_000)
  t.equal(env.pendingTimers, 0)
})

t.test('a hedge that lost and never ends is broken off in the end (CL6)', async (t) => {
  const virtual = startVirtual(nodes, { hedge: true })
  const { client, net, advance } = virtual
  await learnLatency(virtual, 30)
  const call = client.get('b', 'k')
  await advance(31)
  const [slow, hedge] = net.waiting
  hedge?.answer(200)
  await call
  await advance(400)
  net.probes.at(-1)?.end(true)
  await advance(2_000)
  t.equal(slow?.cancelled, true)
})

t.test('a write is never hedged, a read not before 10 ms (CL5)', async (t) => {
  const virtual = startVirtual(nodes, { hedge: true })
  const { client, net, advance } = virtual
  await learnLatency(virtual, 1)
  const before = net.sent.length
  const write = client.put('b', 'k', 'v')
  await advance(250)
  t.equal(net.sent.length, before + 1)
  net.last.answer(204)
  await write
  const read = client.get('b', 'k')
  await advance(9)
  t.equal(net.waiting.length, 1)
  await advance(1)
  t.equal(net.waiting.length, 2)
  net.last.answer(200)
  await read
})

t.test('hedges stay below 5 % of reads and a burst, however slow all is (CL5, CL16)', async (t) => {
  const virtual = startVirtual(nodes, { hedge: true })
  const { client, net, advance } = virtual
  await learnLatency(virtual, 20)
  const before = net.sent.length
  const reads = 400
  for (let count = 0; count < reads; count++) {
    const call = client.get('b', 'k')
    await advance(200)
    for (const waiting of net.waiting) waiting.answer(200)
    await call
  }
  const hedges = net.sent.length - before - reads
  t.ok(hedges > 0 && hedges <= reads * 0.05 + limits.clientHedgeTokensMax + 2, `${hedges}`)
})

t.test(
  'retries stay below 10 % of calls and a burst while nothing works (CL5, CL16)',
  async (t) => {
    const { client, net, advance } = startVirtual(nodes)
    const lost = { code: 'SHOAL_QUORUM_UNMET', retry: 'if-idempotent', outcome: 'unknown' }
    net.respond = (sent) => sent.refuse(504, lost)
    const calls = 3_000
    for (let count = 0; count < calls / 50; count++) {
      const group = Array.from({ length: 50 }, () => rejection(client.put('b', 'k', 'v')))
      await advance(5_000)
      const errors = await Promise.all(group)
      t.match(errors[0], { name: 'UnknownOutcome', code: 'SHOAL_QUORUM_UNMET' })
    }
    const retries = net.sent.length - calls
    t.ok(retries >= limits.clientRetryTokensMax, `${retries} retries`)
    t.ok(retries <= calls * 0.1 + limits.clientRetryTokensMax)
  },
)

t.test('one call too many is refused at once (CL16)', async (t) => {
  const { client } = startVirtual(nodes)
  const calls = Array.from({ length: limits.clientCallsMax }, () => client.get('b', 'k'))
  t.match(await rejection(client.get('b', 'k')), {
    name: 'Unavailable',
    code: 'SHOAL_CLIENT_OVERLOADED',
    outcome: 'not-applied',
  })
  const ends = Promise.allSettled(calls)
  await client.destroy()
  const [first] = await ends
  t.match(first, { reason: { name: 'AbortError' } }, 'destroy ends what is open')
  t.equal(client.status().openCalls, 0)
})

/** An abort while the call is at each of its places. */
const places: Record<string, (virtual: ReturnType<typeof startVirtual>) => Promise<void>> = {
  asking: async () => undefined,
  resting: async ({ net }) => {
    net.last.refuse(
      429,
      { code: 'SHOAL_RATE_LIMITED', retry: 'after', outcome: 'not-applied' },
      { 'retry-after': '1' },
    )
  },
  hedged: async ({ advance }) => advance(31),
}

for (const [place, arrange] of Object.entries(places)) {
  t.test(`an abort ends a call that is ${place}, at once and without a trace (CL6)`, async (t) => {
    const virtual = startVirtual(nodes, { hedge: true })
    const { client, net, env, advance } = virtual
    await learnLatency(virtual, 30)
    const controller = new AbortController()
    const call = rejection(client.get('b', 'k', { signal: controller.signal }))
    await advance(0)
    await arrange(virtual)
    controller.abort('enough')
    t.match(await call, {
      name: 'AbortError',
      code: 'SHOAL_CLIENT_ABORTED',
      outcome: 'not-applied',
      cause: 'enough',
    })
    t.equal(getEventListeners(controller.signal, 'abort').length, 0)
    t.equal(net.waiting.length, 0)
    t.equal(client.status().openCalls, 0)
    await advance(2_000)
    t.equal(env.pendingTimers, 0)
  })
}

t.test(
  'an answer leaves no listener on the signal; one that fired before is heard (CL6)',
  async (t) => {
    const { client, net, advance } = startVirtual(nodes)
    const controller = new AbortController()
    const call = client.put('b', 'k', 'v', { signal: controller.signal })
    await advance(0)
    net.last.answer(204)
    await call
    t.equal(getEventListeners(controller.signal, 'abort').length, 0)
    const before = net.sent.length
    t.match(await rejection(client.put('b', 'k', 'v', { signal: AbortSignal.abort() })), {
      name: 'AbortError',
      outcome: 'not-applied',
    })
    t.equal(net.sent.length, before)
  },
)

t.test('a call that had not left when it was aborted was not applied (CL4)', async (t) => {
  const { client, net, advance } = startVirtual(nodes)
  const controller = new AbortController()
  const call = rejection(client.put('b', 'k', 'v', { signal: controller.signal }))
  await advance(0)
  net.last.started = false
  controller.abort()
  t.match(await call, { outcome: 'not-applied' })
  const second = rejection(client.put('b', 'k', 'v', { timeoutMs: 100 }))
  await advance(0)
  net.last.started = false
  await advance(100)
  t.match(await second, { name: 'DeadlineExceeded', outcome: 'not-applied' })
})

t.test('a token that cannot be had fails the call, not the process', async (t) => {
  const token = (): string => {
    throw new RangeError('no token today')
  }
  const { client, net } = startVirtual(nodes, { token })
  const error = await rejection(client.get('b', 'k'))
  t.match(error, { name: 'BadRequest', cause: { message: 'no token today' } })
  t.equal(net.sent.length, 0)
})
