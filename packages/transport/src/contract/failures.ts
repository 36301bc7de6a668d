import { type Millis, millis, nodeId, ShoalError, seconds } from '@shoal/kernel'
import type { Test } from 'tap'
import type { IncomingQuestion } from '../peers.ts'
import { openUp } from './answers.ts'
import { echo, type OpenPair, Recorder, soon } from './pair.ts'

/** Questions that fail, and peers that come and go. */
export function failureContract(t: Test, open: OpenPair): void {
  t.test('a question nobody answers times out, and a late answer is dropped', async (t) => {
    const heard: IncomingQuestion[] = []
    const pair = await openUp(t, open, { onB: (question) => heard.push(question) })
    const sink = new Recorder()
    const askedAt = pair.elapsed()
    for (let tag = 0; tag < 100; tag++) {
      sink.ask(pair.a, pair.bId, { tag, timeout: (100 + tag) as Millis })
    }
    await pair.until(() => sink.endings.length === 100, 'all ends')
    const took = pair.elapsed() - askedAt
    t.ok(sink.codes.every((code) => code === 'SHOAL_PEER_TIMEOUT'))
    t.ok(took >= 190 && took < 2_000, `${took} ms`)
    for (const question of heard) echo(question)
    await pair.elapse(soon)
    t.same([sink.endings.length, sink.parts.length, sink.repeated], [100, 0, 0])
    t.equal(pair.a.status()[0]?.inFlight, 0)
  })

  t.test('an unknown peer is unreachable, and the sink hears of it after the call', async (t) => {
    const pair = await openUp(t, open, {})
    const sink = new Recorder()
    sink.ask(pair.a, nodeId('nobody'))
    t.same(sink.endings, [], 'not from inside ask')
    await pair.until(() => sink.endings.length === 1, 'the end')
    t.same(sink.codes, ['SHOAL_PEER_UNREACHABLE'])
    t.equal(pair.a.isUp(nodeId('nobody')), false)
  })

  t.test('a peer that is down fails questions at once, without waiting', async (t) => {
    const pair = await openUp(t, open, { onB: echo })
    await pair.unplug()
    await pair.until(() => !pair.a.isUp(pair.bId), 'it is known to be down')
    const askedAt = pair.elapsed()
    const sink = new Recorder()
    for (let tag = 0; tag < 10; tag++) sink.ask(pair.a, pair.bId, { tag, timeout: seconds(60) })
    await pair.until(() => sink.endings.length === 10, 'all ends')
    t.ok(sink.codes.every((code) => code === 'SHOAL_PEER_UNREACHABLE'))
    t.ok(pair.elapsed() - askedAt < 1_000)
    t.equal(sink.early, 0)
    const [status] = pair.a.status()
    t.equal(status?.up, false)
    t.type(status?.reason, 'string')
  })

  t.test('a channel that is lost fails what is in flight, once, and comes back', async (t) => {
    const heard: IncomingQuestion[] = []
    const changes: string[] = []
    const pair = await openUp(t, open, { onB: (question) => heard.push(question) })
    pair.a.onChange((peer, up) => changes.push(`${peer} ${up ? 'up' : 'down'}`))
    const sink = new Recorder()
    for (let tag = 0; tag < 50; tag++) sink.ask(pair.a, pair.bId, { tag })
    await pair.until(() => heard.length === 50, 'all questions')
    pair.sever()
    await pair.until(() => sink.endings.length === 50, 'all ends')
    t.ok(sink.codes.every((code) => code === 'SHOAL_PEER_LOST'))
    await pair.until(() => pair.a.isUp(pair.bId) && pair.b.isUp(pair.aId), 'it comes back')
    t.same(changes, [`${pair.bId} down`, `${pair.bId} up`])
    for (const question of heard) echo(question)
    const again = new Recorder()
    again.ask(pair.a, pair.bId, { tag: 1_000 })
    await pair.until(() => heard.length === 51, 'the new channel works')
    echo(heard[50] as IncomingQuestion)
    await pair.until(() => again.endings.length === 1, 'its answer')
    t.same(again.codes, [undefined])
    t.same([sink.endings.length, sink.repeated], [50, 0], 'old answers went nowhere')
  })

  t.test('a node that stops lets what is in flight end, and takes nothing new', async (t) => {
    const heard: IncomingQuestion[] = []
    const pair = await openUp(t, open, {
      onA: (question) => heard.push(question),
      onB: (question) => heard.push(question),
    })
    const [ofA, ofB] = [new Recorder(), new Recorder()]
    ofA.ask(pair.a, pair.bId, { tag: 1 })
    ofB.ask(pair.b, pair.aId, { tag: 2 })
    await pair.until(() => heard.length === 2, 'both questions')
    const stopped = pair.b.stop((pair.elapsed() + 5_000) as Millis)
    ofB.ask(pair.b, pair.aId, { tag: 3 })
    await pair.until(() => !pair.a.isUp(pair.bId), 'the other node knows')
    ofA.ask(pair.a, pair.bId, { tag: 4 })
    await pair.until(() => ofA.endings.length + ofB.endings.length === 2, 'the new ones fail')
    t.same([...ofA.codes, ...ofB.codes], ['SHOAL_PEER_UNREACHABLE', 'SHOAL_PEER_UNREACHABLE'])
    for (const question of heard) echo(question)
    await pair.until(() => ofA.endings.length + ofB.endings.length === 4, 'the old ones end')
    t.same([...ofA.codes, ...ofB.codes].filter(Boolean).length, 2, 'with answers')
    let done = false
    void stopped.then(() => {
      done = true
    })
    await pair.until(() => done, 'it has stopped')
  })

  t.test('a node that stops waits no longer than its deadline', async (t) => {
    const heard: IncomingQuestion[] = []
    const pair = await openUp(t, open, { onB: (question) => heard.push(question) })
    const sink = new Recorder()
    sink.ask(pair.a, pair.bId)
    await pair.until(() => heard.length === 1, 'the question')
    const begun = pair.elapsed()
    let done = false
    void pair.b.stop((begun + 300) as Millis).then(() => {
      done = true
    })
    await pair.until(() => done && sink.endings.length === 1, 'it has stopped')
    t.same(sink.codes, ['SHOAL_PEER_LOST'])
    const took = pair.elapsed() - begun
    t.ok(took >= 300 && took < 2_500, `${took} ms`)
  })

  t.test('a message its reader cannot read ends the channel and nothing else', async (t) => {
    const malformed = () => {
      throw new ShoalError('SHOAL_FRAME_INVALID', 'not a row')
    }
    const pair = await openUp(t, open, { onA: malformed, onB: echo })
    const changes: boolean[] = []
    pair.a.onChange((_peer, up) => changes.push(up))
    const sink = new Recorder()
    sink.ask(pair.b, pair.aId)
    await pair.until(() => sink.endings.length === 1, 'the question ends')
    t.same(sink.codes, ['SHOAL_PEER_LOST'])
    await pair.until(() => pair.a.isUp(pair.bId) && pair.b.isUp(pair.aId), 'the channel is back')
    t.same(changes, [false, true])
    sink.ask(pair.a, pair.bId, { tag: 1 })
    await pair.until(() => sink.endings.length === 2, 'and works')
    t.equal(sink.codes.at(-1), undefined)
  })

  t.test('whatever happens, every question ends exactly once', async (t) => {
    const unanswered: IncomingQuestion[] = []
    const handler = (question: IncomingQuestion) => {
      if (question.kind % 3 === 0) unanswered.push(question)
      else if (question.kind % 3 === 1) echo(question)
    }
    const pair = await openUp(t, open, { onA: handler, onB: handler })
    const [ofA, ofB] = [new Recorder(), new Recorder()]
    const rounds = 60
    for (let round = 0; round < rounds; round++) {
      // The last rounds meet a whole channel, so that every outcome is seen.
      if (round === rounds - 5) await pair.until(() => pair.a.isUp(pair.bId), 'the channel is up')
      for (let index = 0; index < 10; index++) {
        const tag = round * 10 + index
        const asked = {
          tag,
          kind: tag % 200,
          body: Buffer.alloc((tag * 7_919) % 90_000),
          timeout: millis(300 + (tag % 7) * 100),
        }
        ofA.ask(pair.a, pair.bId, asked)
        ofB.ask(pair.b, pair.aId, asked)
      }
      if (round % 13 === 12) pair.sever()
      if (round % 5 === 4 && round < rounds - 5)
        for (const question of unanswered.splice(0)) echo(question)
      await pair.elapse(millis(5))
    }
    const ended = () => ofA.endings.length + ofB.endings.length
    await pair.until(() => ended() === rounds * 20, 'all ends')
    await pair.elapse(soon)
    t.equal(ended(), rounds * 20)
    t.equal(ofA.repeated + ofB.repeated + ofA.early + ofB.early, 0)
    const seen = new Set([...ofA.codes, ...ofB.codes])
    for (const code of [undefined, 'SHOAL_PEER_LOST', 'SHOAL_PEER_TIMEOUT'] as const) {
      t.ok(seen.has(code), `the run has met ${code ?? 'answers'}`)
    }
  })
}
