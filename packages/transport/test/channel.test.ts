import { Duplex } from 'node:stream'
import { createTestEnv, limits, type Millis, millis, nodeId, type TestEnv } from '@shoal/kernel'
import { FrameDecoder, FrameWriter, frameTypes } from '@shoal/wire'
import t from 'tap'
import { Recorder } from '../src/contract/pair.ts'
import { Turn } from '../src/exchange/turn.ts'
import type { IncomingQuestion } from '../src/index.ts'
import { Channel } from '../src/socket/channel.ts'
import { Connection } from '../src/socket/connection.ts'

/** A socket whose kernel takes what it is given at once, or, while stuck, when it is told to. */
class Wire extends Duplex {
  readonly writes: number[] = []
  #stuck = false
  #taken: (() => void) | undefined

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#take(chunk.length, done)
  }

  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    this.#take(
      chunks.reduce((sum, { chunk }) => sum + chunk.length, 0),
      done,
    )
  }

  set stuck(stuck: boolean) {
    this.#stuck = stuck
    const taken = this.#taken
    this.#taken = undefined
    if (!stuck) taken?.()
  }

  #take(bytes: number, done: () => void): void {
    this.writes.push(bytes)
    if (this.#stuck) this.#taken = done
    else done()
  }
}

interface Scene {
  readonly env: TestEnv
  readonly wire: Wire
  readonly channel: Channel
  readonly ended: string[]
  readonly heard: IncomingQuestion[]
  ask(body: Uint8Array, sink?: Recorder): void
  /** Lets bytes of the peer arrive. */
  hear(write: (writer: FrameWriter) => void): Promise<void>
}

const peer = nodeId('peer')

async function openScene(): Promise<Scene> {
  const env = createTestEnv()
  const wire = new Wire()
  const ended: string[] = []
  const heard: IncomingQuestion[] = []
  const nobody = { onFrame: () => {}, onQuestion: () => {} }
  const options = { socket: wire, clock: env.clock, handler: nobody, onEnd: () => {} }
  const connection = new Connection(options)
  const channel = new Channel({
    peer,
    connection,
    takesTraces: true,
    turn: new Turn(env),
    isDraining: () => false,
    handle: (question) => heard.push(question),
    goodbye: () => {},
    answered: () => {},
    ended: (reason) => ended.push(reason),
  })
  connection.open(Buffer.alloc(0))
  env.drainTurns()
  const ask = (body: Uint8Array, sink = new Recorder()) =>
    void channel.ask({ to: peer, kind: 1, body, timeout: millis(1_000), tag: 0 }, 1, sink)
  const hear = async (write: (writer: FrameWriter) => void) => {
    const writer = new FrameWriter()
    write(writer)
    for (const piece of writer.pieces()) wire.push(piece)
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { env, wire, channel, ended, heard, ask, hear }
}

t.test('TX1 what one turn asks and answers leaves in one write', async (t) => {
  const { env, wire, channel, heard, ask, hear } = await openScene()
  await hear((writer) => {
    for (let id = 1; id <= 50; id++) writer.question(1, id, 1, 1_000, Buffer.from('?'))
  })
  for (let index = 0; index < 100; index++) ask(Buffer.alloc(1_000))
  for (const question of heard) question.answer(1, Buffer.alloc(10))
  t.same(wire.writes, [], 'not before the turn ends')
  env.drainTurns()
  t.same(wire.writes, [100 * 1_018 + 50 * 20])
  ask(Buffer.alloc(100_000))
  ask(Buffer.alloc(5))
  env.drainTurns()
  t.same(wire.writes.slice(1), [100_018 + 23], 'with a body that is not copied too')
  t.equal(channel.waiting(), 0)
})

t.test('TX1 while the kernel is full, turns are gathered into one more write', async (t) => {
  const { env, wire, channel, ask } = await openScene()
  wire.stuck = true
  for (let turn = 0; turn < 1_000; turn++) {
    ask(Buffer.alloc(100))
    env.drainTurns()
  }
  t.same(wire.writes, [118])
  t.equal(channel.waiting(), 1_000 * 118)
  wire.stuck = false
  await new Promise((resolve) => setImmediate(resolve))
  t.same(wire.writes, [118, 999 * 118])
  t.equal(channel.waiting(), 0)
})

t.test('TX1 bytes that wait for the kernel are not overwritten by the next turn', async (t) => {
  const { env, wire, ask } = await openScene()
  const seen: string[] = []
  const decoder = new FrameDecoder(
    { onFrame: () => {}, onQuestion: (_kind, _id, _epoch, _timeout, body) => seen.push(`${body}`) },
    1_000_000,
  )
  const late: Buffer[] = []
  wire._write = (chunk, _encoding, done) => {
    late.push(chunk)
    setImmediate(done)
  }
  wire._writev = (chunks, done) => {
    late.push(...chunks.map(({ chunk }) => chunk))
    setImmediate(done)
  }
  for (let turn = 0; turn < 20; turn++) {
    ask(Buffer.from(`turn ${turn}`))
    env.drainTurns()
    if (turn % 5 === 4) await new Promise((resolve) => setImmediate(resolve))
  }
  for (let turns = 0; turns < 10; turns++) await new Promise((resolve) => setImmediate(resolve))
  for (const chunk of late) decoder.push(chunk)
  t.same(
    seen,
    Array.from({ length: 20 }, (_, turn) => `turn ${turn}`),
  )
})

t.test(
  'TC3 a silent peer is down within four seconds, one that answers pings is not',
  async (t) => {
    const { env, channel, ended, hear } = await openScene()
    const sweep = (gap: number) => {
      env.advance(gap as Millis)
      channel.sweep(env.clock.elapsed(), gap as Millis)
      env.drainTurns()
    }
    for (let second = 0; second < 20; second++) {
      for (let tenth = 0; tenth < 10; tenth++) sweep(limits.peerSweep)
      await hear((writer) => writer.frame(frameTypes.pong, 0, second + 1))
    }
    t.same(ended, [])
    t.type(channel.roundTripMs, 'number')
    const begun = env.clock.elapsed()
    while (ended.length === 0) sweep(limits.peerSweep)
    const took = env.clock.elapsed() - begun
    t.ok(took > limits.peerSilenceMax - 500 && took <= limits.peerSilenceMax, `${took} ms`)
    t.match(ended, [/silent/])
  },
)

t.test('TC3 a node that was stopped itself does not take its peers for dead', async (t) => {
  const { env, channel, ended, hear } = await openScene()
  env.advance(millis(30_000))
  channel.sweep(env.clock.elapsed(), millis(30_000))
  t.same(ended, [], 'what they said waits in the socket')
  await hear((writer) => writer.frame(frameTypes.pong, 0, 1))
  channel.sweep(env.clock.elapsed(), limits.peerSweep)
  t.same(ended, [])
})

t.test('TX2 a late answer never ends another question', async (t) => {
  const { env, channel, hear } = await openScene()
  const [old, young] = [new Recorder(), new Recorder()]
  const ask = (sink: Recorder, tag: number) =>
    channel.ask({ to: peer, kind: 1, body: Buffer.alloc(0), timeout: millis(10), tag }, 1, sink)
  for (let tag = 0; tag < 300; tag++) ask(old, tag)
  env.advance(millis(20))
  channel.sweep(env.clock.elapsed(), millis(20))
  t.equal(old.endings.length, 300)
  for (let tag = 0; tag < 300; tag++) ask(young, tag)
  await hear((writer) => {
    for (let id = 1; id <= 300; id++) writer.frame(frameTypes.answer, 1, id)
  })
  t.same(young.endings, [])
  t.equal(channel.inFlight, 300)
  await hear((writer) => {
    for (let id = 301; id <= 600; id++) writer.frame(frameTypes.answer, 1, id)
  })
  t.same(
    young.endings.map(({ tag }) => tag),
    Array.from({ length: 300 }, (_, tag) => tag),
  )
  t.same([old.repeated, young.repeated], [0, 0])
})
