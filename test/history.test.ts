/** The judge is judged first: each kind of fault is planted and must be found. */
import t from 'tap'
import { deleteId, History, type Write } from './support/history.ts'

const write = (id: string, more: Partial<Write> = {}): Write => ({
  key: 'k',
  id,
  covers: new Set(),
  start: 0,
  end: 1,
  outcome: 'acknowledged',
  ...more,
})

function judge(
  writes: readonly Write[],
  final: readonly string[],
  reads: readonly { live: readonly string[]; start: number }[] = [],
): string[] {
  const history = new History()
  for (const each of writes) history.wrote(each)
  for (const { live, start } of reads) history.read({ key: 'k', live, start, end: start + 1 })
  return history.faults(new Map([['k', final]]))
}

const kinds = (faults: readonly string[]): string[] =>
  faults.map((fault) => fault.split(':')[0] ?? '')

t.test('what a store may do', async (t) => {
  t.same(judge([write('a')], ['a']), [], 'show what was written')
  t.same(judge([write('a'), write('b')], ['a', 'b']), [], 'show concurrent values together')
  const replaced = [write('a'), write('b', { covers: new Set(['a']), start: 2, end: 3 })]
  t.same(judge(replaced, ['b']), [], 'drop what a later write covers')
  const unknown = [write('a'), write('b', { covers: new Set(['a']), outcome: 'unknown' })]
  t.same(judge(unknown, ['a']), [], 'not do a write of unknown outcome')
  t.same(judge(unknown, ['b']), [], 'or do it')
  t.same(judge([write('a', { outcome: 'refused' })], []), [], 'not do what it refused')
  const deleted = [write('a'), write(deleteId('1'), { covers: new Set(['a']), start: 2, end: 3 })]
  t.same(judge(deleted, []), [], 'show nothing after a delete')
  t.same(judge([write('a', { start: 5, end: 9 })], ['a'], [{ live: [], start: 6 }]), [])
})

t.test('what no store may do', async (t) => {
  t.same(kinds(judge([write('a')], [])), ['lost'])
  t.same(kinds(judge([write('a'), write('b')], ['b'])), ['lost'], 'b did not cover a')
  t.same(kinds(judge([write('a')], ['a'], [{ live: [], start: 2 }])), ['stale'])
  const replaced = [write('a'), write('b', { covers: new Set(['a']), start: 2, end: 3 })]
  t.same(kinds(judge(replaced, ['a', 'b'])), ['resurrected'])
  t.same(kinds(judge(replaced, ['b'], [{ live: ['a'], start: 5 }])), ['stale', 'resurrected'])
  const deleted = [write('a'), write(deleteId('1'), { covers: new Set(['a']), start: 2, end: 3 })]
  t.same(kinds(judge(deleted, ['a'])), ['resurrected'])
  t.same(kinds(judge([], ['a'])), ['invented'])
  t.same(kinds(judge([write('a', { outcome: 'refused' })], ['a'])), ['invented'])
  const future = judge([write('a', { start: 9, end: 10 })], ['a'], [{ live: ['a'], start: 2 }])
  t.same(kinds(future), ['invented'], 'shown before it was written')
  const unread = new History()
  unread.wrote(write('a'))
  t.equal(unread.faults(new Map()).length, 1, 'a key that was not read at the end')
})

t.test('one dot, one value', async (t) => {
  const history = new History()
  history.named('a', '"1"')
  history.named('a', '"1"')
  t.same(history.faults(new Map()), [])
  history.named('b', '"1"')
  t.same(kinds(history.faults(new Map())), ['reused'])
  history.named('a', '"2"')
  t.same(kinds(history.faults(new Map())), ['reused', 'reused'])
})
