import t from 'tap'
import {
  channelIdOf,
  commonVersion,
  decodeOpen,
  decodeRefused,
  encodeOpen,
  encodeRefused,
  prove,
  verify,
} from '../src/index.ts'

const secret = Buffer.from('a secret of the cluster')
const nonce = (fill: number) => Buffer.alloc(32, fill)
const open = (node: string, fill: number) =>
  encodeOpen({ versions: [1], node, nonce: nonce(fill), uptime: 5 })
const opening = { dialler: open('n1', 1), acceptor: open('n2', 2) }

t.test('a proof holds for its secret, its role and its two openings only', (t) => {
  const proof = prove(secret, 'dialler', opening)
  t.ok(verify(secret, 'dialler', opening, proof))
  t.notOk(verify(Buffer.from('another'), 'dialler', opening, proof), 'another secret')
  t.notOk(verify(secret, 'acceptor', opening, proof), 'mirrored back')
  t.notOk(verify(secret, 'dialler', { ...opening, dialler: open('n1', 3) }, proof), 'replayed')
  t.notOk(verify(secret, 'dialler', { ...opening, acceptor: open('n3', 2) }, proof), 'other node')
  const swapped = { dialler: opening.acceptor, acceptor: opening.dialler }
  t.notOk(verify(secret, 'dialler', swapped, proof), 'swapped')
  t.notOk(verify(secret, 'dialler', opening, proof.subarray(0, 31)), 'short')
  t.notOk(verify(secret, 'dialler', opening, Buffer.alloc(0)), 'empty')
  t.end()
})

t.test('neither the proof nor the openings contain the secret', (t) => {
  const said = Buffer.concat([
    opening.dialler,
    opening.acceptor,
    prove(secret, 'dialler', opening),
    prove(secret, 'acceptor', opening),
  ])
  t.notOk(said.includes(secret))
  t.end()
})

t.test('the channel is named by the head of the proof', (t) => {
  t.equal(channelIdOf(prove(secret, 'acceptor', opening)).length, 8)
  t.end()
})

t.test('the highest common version is chosen', (t) => {
  t.equal(commonVersion([1, 2, 3], [2, 3, 4]), 3)
  t.equal(commonVersion([3, 1], [1]), 1)
  t.equal(commonVersion([1], [2]), undefined)
  t.equal(commonVersion([1], []), undefined)
  t.end()
})

t.test('node ids are checked on arrival', (t) => {
  for (const node of ['', 'a b', 'a\n', 'ä', 'x'.repeat(65)]) {
    const bytes = encodeOpen({ versions: [1], node, nonce: nonce(1), uptime: 0 })
    t.throws(() => decodeOpen(bytes), { code: 'SHOAL_FRAME_INVALID' }, JSON.stringify(node))
  }
  t.end()
})

t.test('the words of a refusal are cut to the room there is, whole characters only', (t) => {
  const words = '€'.repeat(100)
  for (let bytesMax = 20; bytesMax < 60; bytesMax++) {
    const bytes = encodeRefused({ code: 'code', words }, bytesMax)
    t.ok(bytes.length <= bytesMax, `${bytesMax}`)
    t.match(decodeRefused(bytes).words, /^€*$/)
  }
  t.end()
})

t.test('the words of a refusal cannot forge a line of a log', (t) => {
  const bytes = encodeRefused({ code: 'code', words: 'one\n{"level":"error"}\u001b[2J' }, 1_000)
  t.equal(decodeRefused(bytes).words, 'one {"level":"error"} [2J')
  t.end()
})
