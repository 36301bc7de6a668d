import { limits } from '@shoal/kernel'
import t from 'tap'
import type { EventText } from '../../src/events/node-event.ts'
import { type Face, openFace } from './doubles.ts'
import { call, problemOf, RawConnection, wire } from './talk.ts'

const text = (kind: string, topic: EventText['topic'] = 'membership'): EventText => ({
  ...{ topic, kind, level: 'info', message: `${kind} happened`, details: { n: 1 } },
})

/** A client on a connection of its own. */
async function follow(face: Face, query = '', lastId?: string): Promise<RawConnection> {
  const connection = new RawConnection(face.port)
  const lines = [`GET /v1/events${query} HTTP/1.1`, 'Host: x']
  connection.send(wire(lastId === undefined ? lines : [...lines, `Last-Event-ID: ${lastId}`]))
  await connection.until((received) => received.includes('retry: 1000'))
  return connection
}

const idsIn = (received: string): string[] =>
  [...received.matchAll(/^id: (.+)$/gm)].map(([, id]) => id as string)

t.test('an event reaches whoever follows, as it happens', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  face.events.publish(text('before'))
  const client = await follow(face)
  t.match(client.received, /^HTTP\/1.1 200 .*text\/event-stream/s)
  face.events.publish(text('member'))
  const received = await client.until((all) => all.includes('member happened'))
  t.notMatch(received, /before/, 'what is over is not told unasked')
  const [, document = ''] = /^data: (.+)$/m.exec(received) ?? []
  t.match(JSON.parse(document), { ...text('member'), node: 'n1', id: /^[0-9a-f]{12}-2$/ })
  t.match(received, /\nevent: membership\n/)
  client.destroy()
})

t.test('who comes back is told what it missed, once', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  for (const kind of ['one', 'two', 'three']) face.events.publish(text(kind))
  const first = await follow(face, '', '0')
  const all = idsIn(await first.until((received) => received.includes('three happened')))
  t.equal(all.length, 3)
  first.destroy()
  face.events.publish(text('four'))
  const second = await follow(face, '', all[1])
  const missed = await second.until((received) => received.includes('four happened'))
  t.same(idsIn(missed).slice(0, 1), [all[2]])
  t.equal(idsIn(missed).length, 2)
  t.notMatch(missed, /event: gap/)
  second.destroy()
})

t.test('who was away for too long is told how much is gone', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  face.events.publish(text('first'))
  const [run] = idsIn(await (await follow(face, '', '0')).until((all) => all.includes('first h')))
  for (let index = 0; index < limits.eventsKept + 5; index++) face.events.publish(text('more'))
  const late = await follow(face, '', run)
  const received = await late.until((all) => idsIn(all).length === limits.eventsKept)
  t.match(received, /event: gap\ndata: \{"missed":5\}\n/)
  const stranger = await follow(face, '', 'ffffffffffff-3')
  t.match(await stranger.until((all) => all.includes('gap')), /data: \{"missed":null\}/)
  for (const client of [late, stranger]) client.destroy()
})

t.test('topics can be chosen, and nothing else', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  const client = await follow(face, '?topics=hints,repairs')
  face.events.publish(text('member'))
  face.events.publish(text('stored', 'hints'))
  t.notMatch(await client.until((all) => all.includes('stored happened')), /member/)
  client.destroy()
  const wrong = await call(face, 'GET', '/v1/events?topics=hints,rumours')
  t.match(problemOf(wrong), { code: 'SHOAL_QUERY_INVALID', errors: [{ offset: 6 }] })
  const long = { 'Last-Event-ID': 'x'.repeat(limits.eventIdCharsMax + 1) }
  t.equal((await call(face, 'GET', '/v1/events', { headers: long })).status, 400)
  t.equal((await call(face, 'HEAD', '/v1/events')).status, 200)
})

t.test('O1 followers are bounded, and one that does not read is cut off', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  const slow = await follow(face)
  slow.socket.pause()
  const big = { ...text('big'), message: 'x'.repeat(65_536) }
  while (face.events.followers === 1) {
    face.events.publish(big)
    await new Promise(setImmediate)
  }
  const clients = await Promise.all(
    Array.from({ length: limits.eventStreamsMax }, () => follow(face)),
  )
  t.equal(face.events.followers, limits.eventStreamsMax)
  const refused = await call(face, 'GET', '/v1/events')
  t.match(problemOf(refused), { code: 'SHOAL_OVERLOADED', wanted: limits.eventStreamsMax })
  for (const client of [slow, ...clients]) client.destroy()
  while (face.events.followers > 0) await new Promise(setImmediate)
})

t.test('a node that stops ends its streams and does not wait for their clients', async (t) => {
  const face = await openFace()
  const client = await follow(face)
  face.app.setDraining('announced')
  await client.rest()
  t.ok(client.closed)
  t.equal(face.events.followers, 0)
  t.equal(problemOf(await call(face, 'GET', '/v1/events')).code, 'SHOAL_DRAINING')
  await face.app.close()
})
