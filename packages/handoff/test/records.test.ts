import { millis, nodeId, partition } from '@shoal/kernel'
import { makeRowKey } from '@shoal/ring'
import fc from 'fast-check'
import t from 'tap'
import {
  decodeHint,
  decodeMark,
  encodeHint,
  encodeMark,
  hintKey,
  hintsEnd,
  markKey,
  readPlace,
} from '../src/core/records.ts'

const ada = nodeId('ada')
const rowKey = makeRowKey('carts', '42')

t.test('the bytes of a hint and of a mark are these', async (t) => {
  const key = hintKey(ada, 258)
  t.equal(key.toString('hex'), '6803616461' + '0000000000000102')
  const value = encodeHint(key, { since: millis(1_700_000_000_000), bytes: 1_024, rowKey })
  t.equal(value.toString('hex', 0, 11), '01' + '018bcfe56800' + '00000400')
  t.ok(value.subarray(11, -8).equals(rowKey))
  t.equal(value.toString('hex', value.length - 8), '55f1819148b218e2')
  t.equal(markKey(ada, partition(513)).toString('hex'), '6403616461' + '0201')
  t.equal(encodeMark(millis(1_700_000_000_000)).toString('hex'), '018bcfe56800')
})

t.test('what was written is read', async (t) => {
  const hint = fc.record({
    since: fc.integer({ min: 0, max: 2 ** 48 - 1 }).map(millis),
    bytes: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    rowKey: fc.string({ minLength: 1, maxLength: 40 }).map((key) => makeRowKey('b', key)),
  })
  const node = fc.stringMatching(/^[A-Za-z0-9._-]{1,64}$/).map(nodeId)
  const sequence = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })
  fc.assert(
    fc.property(node, sequence, hint, (node, sequence, hint) => {
      const key = hintKey(node, sequence)
      const read = decodeHint(key, encodeHint(key, hint))
      t.same(read, { ...hint, sequence })
      t.same(readPlace(key), { kind: 'hint', node, sequence })
    }),
    { seed: 20_071_014, numRuns: 200 },
  )
  t.same(readPlace(markKey(ada, partition(4_095))), { kind: 'mark', node: ada, partition: 4_095 })
  t.equal(decodeMark(encodeMark(millis(5.5))), 5)
})

t.test(
  'HO8 every flipped bit of a hint is seen, and so is a hint in the place of another',
  async (t) => {
    const key = hintKey(ada, 7)
    const value = encodeHint(key, { since: millis(1), bytes: 9, rowKey })
    for (let bit = 0; bit < value.length * 8; bit++) {
      const flipped = Buffer.from(value)
      flipped[bit >>> 3]! ^= 1 << (bit & 7)
      if (decodeHint(key, flipped)) t.fail(`bit ${bit}`)
    }
    t.ok(decodeHint(key, value))
    t.notOk(decodeHint(hintKey(ada, 8), value))
    t.notOk(decodeHint(hintKey(nodeId('bob'), 7), value))
    for (let length = 0; length < value.length; length++) {
      if (decodeHint(key, value.subarray(0, length))) t.fail(`length ${length}`)
    }
  },
)

t.test('a damaged mark is a mark all the same', async (t) => {
  t.equal(decodeMark(Buffer.from('nonsense')), 0)
  t.equal(decodeMark(undefined), 0)
})

t.test('keys that are none of ours are left alone', async (t) => {
  for (const hex of [
    '',
    '68',
    '6803',
    '6803616461',
    '68036164610000',
    `7803616461${'00'.repeat(8)}`,
  ]) {
    t.equal(readPlace(Buffer.from(hex, 'hex')), undefined, hex)
  }
})

t.test(
  'the hints of a target lie together, oldest first, apart from those of others',
  async (t) => {
    const nodes = ['a', 'aa', 'ab', 'b', 'z'.repeat(64)].map(nodeId)
    const keys = nodes.flatMap((node) => [1, 2, 255, 256, 2 ** 40].map((at) => hintKey(node, at)))
    const sorted = [...keys].sort(Buffer.compare)
    for (const node of nodes) {
      const [from, to] = [hintKey(node, 0), hintsEnd(node)]
      const within = sorted.filter((key) => from.compare(key) <= 0 && key.compare(to) < 0)
      t.same(
        within.map((key) => readPlace(key)),
        [1, 2, 255, 256, 2 ** 40].map((sequence) => ({ kind: 'hint', node, sequence })),
      )
    }
  },
)
