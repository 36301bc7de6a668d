import t from 'tap'
import type { Refusal, RefusalCode } from '../src/core/handshake.ts'
import { judgeRefusals, type Standing, standingOf } from '../src/core/verdict.ts'

const refusal = (options: Partial<Refusal> = {}): Refusal => ({
  code: 'SHOAL_SECRET_WRONG',
  words: 'differs',
  by: 'them',
  proven: false,
  older: false,
  ...options,
})
const refused = (options: Partial<Refusal> = {}) => standingOf(refusal(options))
const byOlder = refused({ older: true })
const byYounger = refused()
const unreachable: Standing = { kind: 'unreachable' }
const untried: Standing = { kind: 'untried' }
const agreed: Standing = { kind: 'agreed' }

function ends(
  standings: readonly Standing[],
  { everAgreed = false, settled = true } = {},
): boolean {
  const others = new Map(standings.map((standing, index) => [`n${index + 2}`, standing]))
  return judgeRefusals(others, { everAgreed, settled }).length > 0
}

t.test('TV1 a node that most of the others refuse is the odd one out', (t) => {
  t.ok(ends([byYounger, byYounger], { settled: false }), 'both of two, whoever is older')
  t.ok(ends([byYounger, byYounger, untried], { settled: false }), 'two of three')
  t.notOk(ends([byYounger, untried], { settled: false }), 'one of two is not most')
  t.end()
})

t.test('TV2 a node that any peer agreed with stays', (t) => {
  t.notOk(ends([agreed, byOlder], { everAgreed: true }))
  t.notOk(ends([byOlder, byOlder], { everAgreed: true }), 'also when it agreed earlier')
  t.end()
})

t.test('TV3 with the others out of reach the newcomer gives way, not the running node', (t) => {
  t.ok(ends([byOlder]), 'two nodes: the younger stops')
  t.notOk(ends([byYounger]), 'two nodes: the older stays')
  t.ok(ends([byOlder, unreachable]))
  t.notOk(ends([byYounger, unreachable]))
  t.notOk(ends([byOlder, untried]), 'not before all were tried')
  t.notOk(ends([byOlder, unreachable], { settled: false }), 'nor before they had time to start')
  t.notOk(ends([unreachable, unreachable]), 'silence is no refusal')
  t.notOk(ends([]), 'nor is a cluster of one')
  t.end()
})

t.test('TV4 only what can be believed counts', (t) => {
  const kinds = (options: Partial<Refusal>) => standingOf(refusal(options)).kind
  const configuration: RefusalCode[] = [
    'SHOAL_SECRET_WRONG',
    'SHOAL_RING_MISMATCH',
    'SHOAL_VERSION_UNSUPPORTED',
  ]
  for (const code of configuration) t.equal(kinds({ code }), 'refused', code)
  for (const code of ['SHOAL_FRAME_INVALID', 'duplicate', 'later'] as const) {
    t.equal(kinds({ code }), 'unreachable', code)
  }
  const taken = { code: 'SHOAL_NODE_ID_TAKEN' } as const
  t.equal(kinds({ ...taken, proven: true }), 'refused')
  t.equal(kinds(taken), 'unreachable', 'a stranger at that address may say anything')
  t.equal(kinds({ ...taken, proven: true, by: 'us' }), 'unreachable')
  t.equal(kinds({ by: 'us' }), 'unreachable', 'one who cannot prove himself is no peer')
  t.equal(kinds({ code: 'SHOAL_VERSION_UNSUPPORTED', by: 'us' }), 'refused', 'versions are open')
  const ours = { code: 'SHOAL_RING_MISMATCH', by: 'us', proven: true } as const
  t.equal(kinds(ours), 'refused', 'what we found out ourselves about a proven peer')
  t.end()
})

t.test('TV5 an id that is taken ends the newcomer at once', (t) => {
  const taken = refused({ code: 'SHOAL_NODE_ID_TAKEN', proven: true })
  t.ok(ends([taken, untried, agreed], { everAgreed: true, settled: false }))
  t.end()
})
