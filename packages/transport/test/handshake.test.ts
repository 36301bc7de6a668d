import { createHash } from 'node:crypto'
import { decodeRefused, encodeRefused, frameTypes, type Role } from '@shoal/wire'
import t, { type Test } from 'tap'
import {
  beginHandshake,
  type HandshakeContext,
  type HandshakeEffect,
  type HandshakeEvent,
  type HandshakeState,
  type HandshakeStep,
  type Refusal,
  stepHandshake,
} from '../src/core/handshake.ts'

interface Setting {
  readonly node?: string
  readonly secret?: string
  readonly versions?: readonly number[]
  readonly cluster?: string
  readonly ring?: string
  readonly uptime?: number
  readonly expected?: string
  readonly members?: readonly string[]
}

function contextOf(role: Role, setting: Setting = {}): HandshakeContext {
  const { node = role === 'dialler' ? 'n1' : 'n2', secret = 'secret', versions = [1] } = setting
  const { cluster = 'cluster', ring = 'ring', uptime = 1_000 } = setting
  const { members = ['n1', 'n2'] } = setting
  const summary = Buffer.from(ring)
  const digest = createHash('sha256').update(summary).digest()
  return {
    role,
    self: node,
    expected: role === 'dialler' ? (setting.expected ?? 'n2') : undefined,
    secret: Buffer.from(secret),
    versions,
    open: { versions, node, nonce: Buffer.alloc(32, node), uptime },
    hello: {
      cluster,
      run: Buffer.alloc(16, node),
      ring: { epoch: 1, digest, summary },
      features: ['hints'],
    },
    isMember: (id) => members.includes(id),
    compareRing: (theirs) => (`${theirs}` === ring ? [] : [`ring ${theirs} there, ${ring} here`]),
  }
}

const kindOfType: Record<number, Exclude<HandshakeEvent['kind'], 'permitted' | 'forbidden'>> = {
  [frameTypes.open]: 'opened',
  [frameTypes.proof]: 'proved',
  [frameTypes.hello]: 'greeted',
  [frameTypes.ready]: 'readied',
  [frameTypes.refused]: 'refused',
}

/** One end of a handshake, with everything it did. */
class Side {
  readonly context: HandshakeContext
  state: HandshakeState = { kind: 'failed' }
  readonly log: HandshakeEffect[] = []
  readonly sent: { type: number; body: Buffer }[] = []

  constructor(context: HandshakeContext) {
    this.context = context
    this.take(beginHandshake(context))
  }

  feed(event: HandshakeEvent): void {
    this.take(stepHandshake(this.context, this.state, event))
  }

  take({ state, effects }: HandshakeStep): void {
    this.state = state
    this.log.push(...effects)
    for (const effect of effects) {
      if (effect.kind === 'send') this.sent.push(effect)
      if (effect.kind === 'propose')
        this.feed({ kind: 'permitted', lastChannel: '0102030405060708' })
    }
  }

  hear({ type, body }: { type: number; body: Buffer }): void {
    this.feed({ kind: kindOfType[type] ?? 'foreign', body } as HandshakeEvent)
  }

  get refusal(): Refusal | undefined {
    return this.log.flatMap((effect) => (effect.kind === 'fail' ? [effect.refusal] : []))[0]
  }
}

/** Lets two sides talk until both are silent. */
function meet(d: Setting = {}, a: Setting = {}): { dialler: Side; acceptor: Side } {
  const dialler = new Side(contextOf('dialler', d))
  const acceptor = new Side(contextOf('acceptor', a))
  for (let [toD, toA] = [0, 0]; toA < dialler.sent.length || toD < acceptor.sent.length; ) {
    const [question, answer] = [dialler.sent[toA], acceptor.sent[toD]]
    if (question) {
      toA++
      acceptor.hear(question)
    } else if (answer) {
      toD++
      dialler.hear(answer)
    }
  }
  return { dialler, acceptor }
}

const typesOf = (side: Side) => side.sent.map(({ type }) => type)

t.test('TH1 both prove the secret, then greet, then agree', (t) => {
  const { dialler, acceptor } = meet()
  const { open, proof, hello, ready } = frameTypes
  t.same(typesOf(dialler), [open, proof, hello, ready])
  t.same(typesOf(acceptor), [open, proof, hello, ready])
  t.equal(dialler.state.kind, 'agreed')
  t.equal(acceptor.state.kind, 'agreed')
  const [ofD, ofA] = [dialler, acceptor].map(({ log }) => log.find(({ kind }) => kind === 'agree'))
  t.match(ofD, { peer: { node: 'n2', version: 1, features: ['hints'] } })
  t.match(ofA, { peer: { node: 'n1', run: Buffer.alloc(16, 'n1').toString('hex') } })
  t.equal(
    ofD?.kind === 'agree' && ofD.peer.channel,
    ofA?.kind === 'agree' && ofA.peer.channel,
    'both call the channel the same',
  )
  const proposed = acceptor.log.find(({ kind }) => kind === 'propose')
  t.match(proposed, { lastChannel: '0102030405060708' }, 'the channel the dialler last had')
  t.end()
})

t.test('TH2 a wrong secret ends it before anything else is told', (t) => {
  const { dialler, acceptor } = meet({ secret: 'another', ring: 'another' }, { uptime: 9_000 })
  const { open, proof, refused } = frameTypes
  t.same(typesOf(dialler), [open, proof])
  t.same(typesOf(acceptor), [open, refused], 'no proof to guess against, no ring, no run')
  const words = 'the cluster secret of n1 is not that of n2'
  const common = { code: 'SHOAL_SECRET_WRONG', words, proven: false } as const
  t.same(acceptor.refusal, { ...common, by: 'us', older: false })
  t.same(dialler.refusal, { ...common, by: 'them', older: true })
  t.end()
})

t.test('TH2 an acceptor that cannot prove the secret learns nothing of the dialler', (t) => {
  const dialler = new Side(contextOf('dialler'))
  const acceptor = new Side(contextOf('acceptor'))
  acceptor.hear(dialler.sent[0]!)
  dialler.hear(acceptor.sent[0]!)
  dialler.hear({ type: frameTypes.proof, body: Buffer.alloc(32) })
  const { open, proof, refused } = frameTypes
  t.same(typesOf(dialler), [open, proof, refused])
  t.match(dialler.refusal, { code: 'SHOAL_SECRET_WRONG', by: 'us', proven: false })
  t.end()
})

t.test('TH3 another ring is refused by both, with the difference in words', (t) => {
  const { dialler, acceptor } = meet({ ring: 'three members' }, { ring: 'four members' })
  t.match(dialler.refusal, {
    code: 'SHOAL_RING_MISMATCH',
    words: 'ring four members there, three members here',
    proven: true,
  })
  t.match(acceptor.refusal, {
    code: 'SHOAL_RING_MISMATCH',
    words: 'ring three members there, four members here',
    proven: true,
  })
  t.notOk(typesOf(dialler).includes(frameTypes.ready))
  t.end()
})

t.test('TH3 another cluster, or a stranger to the ring, is refused', (t) => {
  const cluster = meet({ cluster: 'one' }, { cluster: 'other' })
  t.match(cluster.acceptor.refusal, {
    code: 'SHOAL_RING_MISMATCH',
    words: 'the cluster of n1 is one, that of n2 other',
  })
  const member = meet({ node: 'n9' })
  t.match(member.acceptor.refusal, {
    code: 'SHOAL_RING_MISMATCH',
    words: 'n9 is not a member in the ring of n2',
  })
  t.match(member.dialler.refusal, { code: 'SHOAL_RING_MISMATCH', by: 'them' })
  t.end()
})

t.test('TH3 a digest that does not fit its summary is a damaged message', (t) => {
  const dialler = new Side(contextOf('dialler'))
  const acceptor = new Side(contextOf('acceptor'))
  acceptor.hear(dialler.sent[0]!)
  dialler.hear(acceptor.sent[0]!)
  acceptor.hear(dialler.sent[1]!)
  dialler.hear(acceptor.sent[1]!)
  const hello = Buffer.from(acceptor.sent[2]!.body)
  hello[hello.indexOf('ring')] = 0x52
  dialler.hear({ type: frameTypes.hello, body: hello })
  t.match(dialler.refusal, { code: 'SHOAL_FRAME_INVALID', words: /damaged/ })
  t.end()
})

t.test('TH4 no common version is told to both, the highest common one is used', (t) => {
  const none = meet({ versions: [1, 2] }, { versions: [3, 4] })
  const words = 'n2 speaks peer protocol 3, 4, n1 speaks 1, 2'
  t.match(none.acceptor.refusal, { code: 'SHOAL_VERSION_UNSUPPORTED', words, by: 'us' })
  t.match(none.dialler.refusal, { code: 'SHOAL_VERSION_UNSUPPORTED' })
  const some = meet({ versions: [1, 2, 3] }, { versions: [2, 3, 4] })
  t.match(
    some.dialler.log.find(({ kind }) => kind === 'agree'),
    { peer: { version: 3 } },
  )
  t.end()
})

t.test('TH4 versions cannot be lowered on the way: they are part of what is proven', (t) => {
  const dialler = new Side(contextOf('dialler', { versions: [1, 2] }))
  const acceptor = new Side(contextOf('acceptor', { versions: [1, 2] }))
  const lowered = new Side(contextOf('dialler', { versions: [1] }))
  acceptor.hear(lowered.sent[0]!)
  dialler.hear(acceptor.sent[0]!)
  acceptor.hear(dialler.sent[1]!)
  t.match(acceptor.refusal, { code: 'SHOAL_SECRET_WRONG' })
  t.end()
})

t.test('TH5 whoever answers at the address of another is not that other', (t) => {
  const other = meet({}, { node: 'n3' })
  t.match(other.dialler.refusal, {
    code: 'later',
    words: 'the address of n2 is answered by n3',
    by: 'us',
  })
  const itself = meet({}, { node: 'n1' })
  t.match(itself.dialler.refusal, { words: 'the address of n2 is answered by this node itself' })
  const twin = meet({ node: 'n2' }, {})
  t.match(twin.acceptor.refusal, { code: 'SHOAL_NODE_ID_TAKEN' })
  t.end()
})

t.test('who has been running for longer is told to the other', (t) => {
  const olderOf = (d: number, a: number) => {
    const { dialler, acceptor } = meet({ secret: 'x', uptime: d }, { uptime: a })
    return [dialler.refusal?.older, acceptor.refusal?.older]
  }
  t.same(olderOf(0, 5_000), [true, false])
  t.same(olderOf(5_000, 0), [false, true])
  t.same(olderOf(500, 0), [false, true], 'started together: the id decides')
  t.same(olderOf(0, 500), [false, true], 'whichever way the measurement errs')
  t.end()
})

// Every cell: what each role does with each message in each state.

const order = [
  'opening',
  'proving',
  'greeting',
  'agreeing',
  'deciding',
  'agreed',
  'failed',
] as const
type Kind = (typeof order)[number]

/** A side that has come to this state in an honest handshake, and the message it waits for. */
function reach(role: Role, kind: Kind): Side {
  const dialler = new Side(contextOf('dialler'))
  const acceptor = new Side(contextOf('acceptor'))
  const side = role === 'dialler' ? dialler : acceptor
  const other = role === 'dialler' ? acceptor : dialler
  const states = new Map<Kind, HandshakeState>([[side.state.kind, side.state]])
  const keep = (step: HandshakeStep) => {
    states.set(step.state.kind, step.state)
    Side.prototype.take.call(side, step)
  }
  side.take = keep
  for (let [to, from] = [0, 0]; to < side.sent.length || from < other.sent.length; ) {
    const [question, answer] = [side.sent[to], other.sent[from]]
    if (question) {
      to++
      other.hear(question)
    } else if (answer) {
      from++
      side.hear(answer)
    }
  }
  states.set('failed', { kind: 'failed' })
  const state = states.get(kind)
  if (!state) throw new Error(`${role} never was ${kind}`)
  const reached = new Side(side.context)
  reached.state = state
  reached.log.length = reached.sent.length = 0
  return reached
}

const honest = meet()
const bodyOf = (role: Role, type: number) =>
  (role === 'dialler' ? honest.acceptor : honest.dialler).sent.find((sent) => sent.type === type)
    ?.body ?? Buffer.alloc(0)

const eventsFor = (role: Role): { [K in HandshakeEvent['kind']]: HandshakeEvent } => ({
  opened: { kind: 'opened', body: bodyOf(role, frameTypes.open) },
  proved: { kind: 'proved', body: bodyOf(role, frameTypes.proof) },
  greeted: { kind: 'greeted', body: bodyOf(role, frameTypes.hello) },
  readied: { kind: 'readied', body: bodyOf(role, frameTypes.ready) },
  refused: { kind: 'refused', body: encodeRefused({ code: 'later', words: 'no' }, 100) },
  foreign: { kind: 'foreign' },
  permitted: { kind: 'permitted', lastChannel: '' },
  forbidden: { kind: 'forbidden', code: 'later', words: 'not now' },
})

/** What moves a state on; everything else fails it, as the text below says. */
const forward: Record<Role, Record<Kind, Partial<Record<HandshakeEvent['kind'], Kind>>>> = {
  dialler: {
    opening: { opened: 'proving' },
    proving: { proved: 'greeting' },
    // Permitted at once by the test: through `deciding`.
    greeting: { greeted: 'agreeing' },
    agreeing: { readied: 'agreed' },
    deciding: { permitted: 'agreeing' },
    agreed: {},
    failed: {},
  },
  acceptor: {
    opening: { opened: 'proving' },
    proving: { proved: 'greeting' },
    greeting: { greeted: 'agreeing' },
    agreeing: { readied: 'agreed' },
    deciding: { permitted: 'agreed' },
    agreed: {},
    failed: {},
  },
}

for (const role of ['dialler', 'acceptor'] as const) {
  t.test(`TH6 ${role}: every message in every state`, (t) => {
    for (const kind of order) {
      for (const [name, event] of Object.entries(eventsFor(role))) {
        const side = reach(role, kind)
        side.feed(event)
        const over = kind === 'agreed' || kind === 'failed'
        const wanted = over
          ? kind
          : (forward[role][kind][name as HandshakeEvent['kind']] ?? 'failed')
        t.equal(side.state.kind, wanted, `${name} while ${kind}`)
        if (over) t.same(side.log, [], `${name} while ${kind} does nothing`)
        else if (wanted === 'failed') toldWhy(t, side, name)
      }
    }
    t.end()
  })
}

function toldWhy(t: Test, side: Side, name: string): void {
  if (name === 'refused') {
    t.match(side.refusal, { by: 'them' })
    t.same(side.sent, [], 'a refusal is not answered')
    return
  }
  const last = side.sent.at(-1)
  t.equal(last?.type, frameTypes.refused, `${name}: the other side is told`)
  const { code } = decodeRefused(last!.body)
  t.equal(code, name === 'forbidden' ? 'later' : 'SHOAL_FRAME_INVALID')
  t.match(side.refusal, { by: 'us', code })
}
