import { limits, mebibytes, seconds } from '@shoal/kernel'
import type { Test } from 'tap'
import type { IncomingQuestion } from '../peers.ts'
import { openUp } from './answers.ts'
import { echo, type OpenPair, Recorder } from './pair.ts'

/** Bounds of questions in flight. */
export function windowContract(t: Test, open: OpenPair): void {
  t.test('a full window of questions is busy, and opens again with the answers', async (t) => {
    const heard: IncomingQuestion[] = []
    const pair = await openUp(t, open, { onB: (question) => heard.push(question) })
    const count = limits.peerRequestsInFlightMax
    const sink = new Recorder()
    for (let tag = 0; tag < count + 3; tag++) {
      sink.ask(pair.a, pair.bId, { tag, timeout: seconds(30) })
    }
    t.equal(sink.early, 0, 'nobody hears from inside ask')
    await pair.until(() => sink.endings.length === 3, 'the ones too many fail')
    t.same(
      sink.endings.map(({ tag, code }) => [tag, code]),
      [count, count + 1, count + 2].map((tag) => [tag, 'SHOAL_PEER_BUSY']),
    )
    await pair.until(() => heard.length === count, 'the others arrive')
    t.equal(pair.a.status()[0]?.inFlight, count)
    for (const question of heard.splice(0)) echo(question)
    await pair.until(() => sink.endings.length === count + 3, 'and are answered')
    sink.ask(pair.a, pair.bId, { tag: 1_000_000 })
    await pair.until(() => heard.length === 1, 'there is room again')
    echo(heard[0] as IncomingQuestion)
    await pair.until(() => sink.endings.length === count + 4, 'the last answer')
    t.equal(sink.codes.at(-1), undefined)
  })

  t.test('a full window of bytes is busy for large questions only', async (t) => {
    const heard: IncomingQuestion[] = []
    const pair = await openUp(t, open, { onB: (question) => heard.push(question) })
    const body = Buffer.alloc(mebibytes(20))
    const fit = Math.floor(limits.peerBytesInFlightMax / body.length)
    const sink = new Recorder()
    for (let tag = 0; tag <= fit; tag++) {
      sink.ask(pair.a, pair.bId, { tag, body, timeout: seconds(30) })
    }
    sink.ask(pair.a, pair.bId, { tag: 100, body: Buffer.alloc(1_000), timeout: seconds(30) })
    await pair.until(() => heard.length === fit + 1, 'what fits arrives')
    t.same(
      sink.endings.map(({ tag, code }) => [tag, code]),
      [[fit, 'SHOAL_PEER_BUSY']],
    )
    for (const question of heard) question.answer(1, Buffer.alloc(0))
    await pair.until(() => sink.endings.length === fit + 2, 'all ends')
    t.equal(sink.codes.filter(Boolean).length, 1)
  })

  t.test('questions their asker has given up do not fill the window of the peer', async (t) => {
    const heard: IncomingQuestion[] = []
    const pair = await openUp(t, open, { onB: (question) => heard.push(question) })
    const sink = new Recorder()
    const count = limits.peerRequestsInFlightMax
    for (let tag = 0; tag < count; tag++) {
      sink.ask(pair.a, pair.bId, { tag, timeout: seconds(0.3) })
    }
    await pair.until(() => sink.endings.length === count, 'all time out')
    await pair.elapse(seconds(0.5))
    heard.length = 0
    sink.ask(pair.a, pair.bId, { tag: 1_000_000 })
    await pair.until(() => heard.length === 1, 'a new question is taken')
    echo(heard[0] as IncomingQuestion)
    await pair.until(() => sink.endings.length === count + 1, 'and answered')
    t.equal(sink.codes.at(-1), undefined)
  })
}
