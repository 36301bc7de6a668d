import { limits, type Millis, mebibytes, millis } from '@shoal/kernel'
import type { Test } from 'tap'
import type { IncomingQuestion } from '../peers.ts'
import { echo, type Handlers, type OpenPair, type PeersPair, Recorder } from './pair.ts'

export async function openUp(t: Test, open: OpenPair, handlers: Handlers): Promise<PeersPair> {
  const pair = await open(handlers)
  t.teardown(() => pair.close())
  await pair.until(() => pair.a.isUp(pair.bId) && pair.b.isUp(pair.aId), 'both are up')
  return pair
}

/** Questions that are answered. */
export function answerContract(t: Test, open: OpenPair): void {
  t.test('a question is answered once, with kind, body and tag', async (t) => {
    const pair = await openUp(t, open, { onB: echo })
    const sink = new Recorder()
    sink.ask(pair.a, pair.bId, { tag: 77, kind: 6, body: Buffer.from('what is it') })
    await pair.until(() => sink.endings.length === 1, 'the answer')
    t.same(sink.endings, [{ tag: 77, kind: 7, body: Buffer.from('what is it') }])
    await pair.elapse(millis(50))
    t.same([sink.endings.length, sink.repeated, sink.early], [1, 0, 0])
  })

  t.test('bodies of every size arrive unchanged, both ways', async (t) => {
    const pair = await openUp(t, open, { onB: echo })
    const sizes = [0, 1, 1_023, 65_535, 65_536, 65_537, 300_000, mebibytes(20), 0, 5]
    const bodies = sizes.map((size, index) => patterned(size, index))
    const sink = new Recorder()
    for (const [tag, body] of bodies.entries()) sink.ask(pair.a, pair.bId, { tag, body })
    await pair.until(() => sink.endings.length === sizes.length, 'all answers')
    for (const { tag, body } of sink.endings) {
      t.ok(body?.equals(bodies[tag] as Buffer), `${sizes[tag]} bytes`)
    }
  })

  t.test('a trace goes with the questions that have one, and with no others', async (t) => {
    const heard: unknown[] = []
    const onB = (question: IncomingQuestion) => {
      heard.push([question.kind, String(question.trace), question.body.length])
      echo(question)
    }
    const pair = await openUp(t, open, { onB })
    const sink = new Recorder()
    const trace = Buffer.alloc(limits.peerTraceBytesMax, 't')
    sink.ask(pair.a, pair.bId, { tag: 0, kind: 3, body: Buffer.from('what'), trace })
    sink.ask(pair.a, pair.bId, { tag: 1, kind: 4, trace: Buffer.from('x') })
    sink.ask(pair.a, pair.bId, { tag: 2, kind: 5, body: Buffer.alloc(70_000), trace })
    sink.ask(pair.a, pair.bId, { tag: 3, kind: 6 })
    await pair.until(() => sink.endings.length === 4, 'the answers')
    t.same(heard, [
      [3, String(trace), 4],
      [4, 'x', 0],
      [5, String(trace), 70_000],
      [6, 'undefined', 0],
    ])
  })

  t.test('a small body may be changed once the turn is over', async (t) => {
    const pair = await openUp(t, open, { onB: echo })
    const sink = new Recorder()
    const body = Buffer.alloc(1_000, 'a')
    sink.ask(pair.a, pair.bId, { body })
    await pair.elapse(millis(1))
    body.fill('b')
    await pair.until(() => sink.endings.length === 1, 'the answer')
    t.ok(sink.endings[0]?.body?.equals(Buffer.alloc(1_000, 'a')))
  })

  t.test(
    'questions arrive in the order they were asked, and answers in the order given',
    async (t) => {
      const heard: number[] = []
      const onB = (question: IncomingQuestion) => {
        heard.push(question.body.readUInt32BE())
        echo(question)
      }
      const pair = await openUp(t, open, { onB })
      const sink = new Recorder()
      const sizes = [4, 70_000, 10, 100_000, 4]
      for (let tag = 0; tag < 500; tag++) {
        const body = Buffer.alloc(sizes[tag % sizes.length] as number)
        body.writeUInt32BE(tag)
        sink.ask(pair.a, pair.bId, { tag, body })
      }
      await pair.until(() => sink.endings.length === 500, 'all answers')
      const inOrder = Array.from({ length: 500 }, (_, index) => index)
      t.same(heard, inOrder)
      t.same(
        sink.endings.map(({ tag }) => tag),
        inOrder,
      )
    },
  )

  t.test('5,000 questions in flight find their answers, given in reverse', async (t) => {
    const waiting: IncomingQuestion[] = []
    const pair = await openUp(t, open, { onB: (question) => waiting.push(question) })
    const sink = new Recorder()
    for (let tag = 0; tag < 5_000; tag++) {
      sink.ask(pair.a, pair.bId, { tag, body: Buffer.from(`${tag}`) })
    }
    await pair.until(() => waiting.length === 5_000, 'all questions')
    for (const question of waiting.reverse()) echo(question)
    await pair.until(() => sink.endings.length === 5_000, 'all answers')
    t.ok(sink.endings.every(({ tag, body }) => body?.toString() === `${tag}`))
    t.equal(sink.repeated, 0)
  })

  t.test('one question may have several answers; the last one ends it', async (t) => {
    const onB = (question: IncomingQuestion) => {
      question.answer(10, Buffer.from('one'), true)
      question.answer(11, Buffer.alloc(100_000, 2), true)
      question.answer(12, Buffer.from('three'))
      question.answer(13, Buffer.from('nobody hears this'))
      question.answer(14, Buffer.from('nor this'), true)
    }
    const pair = await openUp(t, open, { onB })
    const sink = new Recorder()
    sink.ask(pair.a, pair.bId, { tag: 5 })
    await pair.until(() => sink.endings.length === 1, 'the last answer')
    await pair.elapse(millis(50))
    t.same(
      sink.parts.map(({ tag, kind, body }) => [tag, kind, body?.length]),
      [
        [5, 10, 3],
        [5, 11, 100_000],
      ],
    )
    t.same(sink.endings, [{ tag: 5, kind: 12, body: Buffer.from('three') }])
  })

  t.test('both directions at once', async (t) => {
    const pair = await openUp(t, open, { onA: echo, onB: echo })
    const [ofA, ofB] = [new Recorder(), new Recorder()]
    for (let tag = 0; tag < 2_000; tag++) {
      const body = Buffer.alloc(1_000, tag)
      ofA.ask(pair.a, pair.bId, { tag, body })
      ofB.ask(pair.b, pair.aId, { tag, body })
    }
    await pair.until(() => ofA.endings.length + ofB.endings.length === 4_000, 'all answers')
    for (const { endings } of [ofA, ofB]) {
      t.ok(endings.every(({ tag, body }) => body?.equals(Buffer.alloc(1_000, tag))))
    }
  })

  t.test('a question may be asked while answering another', async (t) => {
    const inner = new Recorder()
    const pair: PeersPair = await openUp(t, open, {
      onA: echo,
      onB: (question) => {
        inner.ask(pair.b, pair.aId, { tag: 1, body: question.body })
        echo(question)
      },
    })
    const outer = new Recorder()
    outer.ask(pair.a, pair.bId, { body: Buffer.from('and you?') })
    await pair.until(() => outer.endings.length + inner.endings.length === 2, 'both answers')
    t.same(inner.endings[0]?.body, Buffer.from('and you?'))
  })

  t.test('the epoch of the asker and the deadline arrive', async (t) => {
    const heard: IncomingQuestion[] = []
    const pair = await openUp(t, open, { onB: (question) => heard.push(question) })
    const sink = new Recorder()
    pair.setEpoch(4_000_000_000)
    const askedAt = pair.elapsed()
    sink.ask(pair.a, pair.bId, { timeout: 2_500 as Millis, kind: 200 })
    await pair.until(() => heard.length === 1, 'the question')
    const [question] = heard
    t.equal(question?.epoch, 4_000_000_000)
    t.equal(question?.from, pair.aId)
    t.equal(question?.kind, 200)
    const left = (question?.deadline ?? 0) - askedAt
    t.ok(left >= 2_400 && left < 3_500, `${left} ms after it was asked`)
    question?.answer(1, Buffer.alloc(0))
  })

  t.test('a body larger than a frame is refused at either end', async (t) => {
    const tooLarge = { length: limits.peerFrameBytesMax } as Buffer
    const onB = (question: IncomingQuestion) => question.answer(1, tooLarge)
    const pair = await openUp(t, open, { onB })
    const sink = new Recorder()
    sink.ask(pair.a, pair.bId, { tag: 1, body: tooLarge })
    sink.ask(pair.a, pair.bId, { tag: 2 })
    await pair.until(() => sink.endings.length === 2, 'both ends')
    t.same(sink.codes, ['SHOAL_PEER_TOO_LARGE', 'SHOAL_PEER_TOO_LARGE'])
    t.equal(sink.early, 0)
    t.ok(pair.a.isUp(pair.bId), 'and the channel stays')
  })
}

function patterned(size: number, seed: number): Buffer {
  const body = Buffer.allocUnsafe(size)
  for (let at = 0; at < size; at++) body[at] = (at * 31 + (at >> 8) + seed) & 0xff
  return body
}
