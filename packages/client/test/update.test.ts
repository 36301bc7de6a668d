/** Updates on virtual time: what is written, when it begins again, and when it must not. */
import { getEventListeners } from 'node:events'
import t from 'tap'
import { json, type StoredValue, type UpdateOptions } from '../src/index.ts'
import { rejection, startVirtual, type Virtual } from './support/virtual.ts'

const changed = { code: 'SHOAL_PRECONDITION_FAILED', retry: 'after-read', outcome: 'not-applied' }
const count = (current: StoredValue | undefined) => json((current?.json<number>() ?? 0) + 1)

function begin(options: Partial<UpdateOptions> = {}, change = count) {
  const virtual = startVirtual(['http://a'])
  const update = virtual.client.update('b', 'k', change, { resolve: 'fail', ...options })
  update.catch(() => undefined)
  return { ...virtual, update }
}

async function answerRead({ net, advance }: Pick<Virtual, 'net' | 'advance'>, value: number) {
  await advance(0)
  net.last.answer(200, { 'causal-context': `c1.${value}`, etag: `"${value}"` }, String(value))
  await advance(0)
}

t.test('an update writes with the context and the ETag of its read (CL14)', async (t) => {
  const virtual = begin()
  const { net, update } = virtual
  await answerRead(virtual, 5)
  t.equal(net.last.request.method, 'PUT')
  t.equal(String(net.last.request.body), '6')
  t.equal(net.last.header('causal-context'), 'c1.5')
  t.equal(net.last.header('if-match'), '"5"')
  net.last.answer(204, { 'causal-context': 'c1.6', etag: '"6"' })
  t.match(await update, { kind: 'written', written: { context: 'c1.6', etag: '"6"' } })
})

t.test('an update of nothing demands that there still is nothing (CL14)', async (t) => {
  const { net, advance, update } = begin()
  await advance(0)
  net.last.refuse(404, { code: 'SHOAL_KEY_NOT_FOUND' }, { 'causal-context': 'c1.0' })
  await advance(0)
  t.equal(net.last.header('if-none-match'), '*')
  t.equal(net.last.header('causal-context'), 'c1.0')
  net.last.answer(204)
  t.match(await update, { kind: 'written' })
})

t.test('without the check only the context ties the write to its read (CL14)', async (t) => {
  const virtual = begin({ check: false, consistency: 'all', ttlSeconds: 9, contentType: 'x/y' })
  const { net, update } = virtual
  await answerRead(virtual, 5)
  t.equal(net.last.header('causal-context'), 'c1.5')
  t.equal(net.last.header('if-match'), undefined)
  t.equal(net.last.header('consistency'), 'all')
  t.equal(net.last.header('ttl'), '9')
  t.equal(net.last.header('content-type'), 'x/y')
  net.last.answer(204)
  t.match(await update, { value: { contentType: 'x/y' } })
})

t.test('a key that changed meanwhile is read again, after a pause (CL14)', async (t) => {
  const virtual = begin()
  const { net, advance, update } = virtual
  await answerRead(virtual, 5)
  net.last.refuse(412, changed)
  await advance(30)
  t.equal(net.last.request.method, 'GET')
  await answerRead(virtual, 9)
  t.equal(String(net.last.request.body), '10')
  net.last.answer(204)
  t.match(await update, { kind: 'written' })
  const keys = net.sent.map((sent) => sent.header('idempotency-key')).filter(Boolean)
  t.equal(new Set(keys).size, 2, 'another round is another write')
})

t.test('an update that may have been applied is not applied twice (CL14)', async (t) => {
  const virtual = begin()
  const { net, update } = virtual
  await answerRead(virtual, 5)
  net.last.fail('lost')
  // Repeated under its key; a node that checks before it remembers refuses its own write.
  net.last.refuse(412, changed)
  t.match(await rejection(update), { name: 'ConnectionLost', outcome: 'unknown' })
  t.equal(net.sent.filter(({ request }) => request.method === 'GET').length, 1)
})

t.test('an update gives up after its rounds, and says what it met (CL14)', async (t) => {
  const virtual = begin({ rounds: 2 })
  const { net, advance, update } = virtual
  for (let round = 0; round < 2; round++) {
    await answerRead(virtual, round)
    net.last.refuse(412, changed)
    await advance(30)
  }
  t.match(await rejection(update), {
    name: 'Conflict',
    code: 'SHOAL_CLIENT_CONFLICT',
    outcome: 'not-applied',
    cause: { code: 'SHOAL_PRECONDITION_FAILED' },
  })
  t.match(await rejection(begin({ rounds: 0 }).update), { code: 'SHOAL_CLIENT_OPTION_INVALID' })
})

t.test('the deadline and the signal hold for all rounds together (CL1, CL6)', async (t) => {
  const late = begin({ timeoutMs: 1_000 })
  await late.advance(400)
  late.net.probes.at(-1)?.end(true)
  late.net.last.answer(200, {}, '1')
  await late.advance(600)
  t.match(await rejection(late.update), { name: 'DeadlineExceeded', outcome: 'unknown' })

  const slowChange = startVirtual(['http://a'])
  const slow = rejection(
    slowChange.client.update(
      'b',
      'k',
      () => {
        slowChange.env.advance(2_000 as never)
        return 'late'
      },
      { resolve: 'fail', timeoutMs: 1_000 },
    ),
  )
  await answerRead(slowChange, 1)
  t.match(await slow, { name: 'DeadlineExceeded', outcome: 'not-applied' }, 'nothing was written')

  const controller = new AbortController()
  const aborted = begin({ signal: controller.signal })
  await answerRead(aborted, 1)
  aborted.net.last.refuse(412, changed)
  await aborted.advance(0)
  controller.abort()
  await aborted.advance(0)
  t.match(await rejection(aborted.update), { name: 'AbortError' })
  t.equal(aborted.net.sent.length, 2)
  t.equal(getEventListeners(controller.signal, 'abort').length, 0)
})

t.test("what the caller's own functions throw comes through as it is", async (t) => {
  const virtual = begin({}, () => {
    throw new RangeError('mine')
  })
  await answerRead(virtual, 1)
  t.match(await rejection(virtual.update), { name: 'RangeError', message: 'mine' })
})
