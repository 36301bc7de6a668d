/**
 * The judge of a run is judged first: whatever a store may do wrong is planted and must be found.
 */
import t from 'tap'
import { judgeKey, type Rule } from './checker.ts'
import type { Copy, Final, Read, Shown, Write } from './history.ts'

const shown = (...ids: readonly string[]): Shown[] => ids.map((id) => ({ id, etag: `"${id}"` }))

const put = (id: string, more: Partial<Write> = {}): Write => ({
  kind: 'put',
  id,
  covers: [],
  start: 0,
  end: 1,
  outcome: 'acknowledged',
  mayBeTwins: false,
  isStrict: false,
  through: 'n1',
  note: '',
  ...more,
})

const remove = (id: string, more: Partial<Write>): Write => put(id, { ...more, kind: 'delete' })

const strictRead = (start: number, ...ids: readonly string[]): Read => ({
  shown: shown(...ids),
  start,
  end: start + 1,
  isStrict: true,
  through: 'n1',
})

const copy = (node: string, ...values: readonly string[]): Copy => ({ node, dots: values, values })

const equal = (...ids: readonly string[]): Final => ({
  shown: shown(...ids),
  copies: ['n1', 'n2', 'n3'].map((node) => copy(node, ...ids)),
})

const rules = (
  writes: readonly Write[],
  final: Final | undefined,
  reads: readonly Read[] = [],
): Rule[] =>
  judgeKey({ key: 'k', history: { writes: [...writes], reads: [...reads] }, final }).map(
    ({ rule }) => rule,
  )

const later = { start: 2, end: 3 }
const covered = [put('a'), put('b', { ...later, covers: shown('a') })]
const deleted = [put('a'), remove('d', { ...later, covers: shown('a') })]

t.test('what a store may do', async (t) => {
  t.same(rules([put('a')], equal('a')), [], 'show what was written')
  t.same(rules([put('a'), put('b')], equal('a', 'b')), [], 'show concurrent values together')
  t.same(rules(covered, equal('b')), [], 'drop what a later write covers')
  t.same(rules(deleted, equal()), [], 'show nothing after a delete')
  const unknown = [put('a'), put('b', { ...later, covers: shown('a'), outcome: 'unknown' })]
  t.same(rules(unknown, equal('a')), [], 'not do a write of unknown outcome')
  t.same(rules(unknown, equal('b')), [], 'or do it')
  const chain = [...unknown, put('c', { start: 4, end: 5, covers: shown('b') })]
  t.same(rules(chain, equal('c')), [], 'or do it and cover it again')
  const maybe = [put('a'), remove('d', { ...later, covers: shown('a'), outcome: 'unknown' })]
  t.same(rules(maybe, equal()), [], 'do a delete of unknown outcome')
  t.same(rules(maybe, equal('a')), [], 'or not')
  t.same(rules([put('a', { outcome: 'refused' })], equal()), [], 'not do what it refused')
  const old = { ...strictRead(5), isStrict: false }
  t.same(rules([put('a')], equal('a'), [old]), [], 'show what is old to a read that is not strict')
})

t.test('lost: an acknowledged value is nowhere', async (t) => {
  t.same(rules([put('a')], equal()), ['lost'])
  t.same(rules([put('a'), put('b')], equal('b')), ['lost'], 'b had not seen a')
  const refused = [put('a'), put('b', { ...later, covers: shown('a'), outcome: 'refused' })]
  t.same(rules(refused, equal()), ['lost'], 'what covered it was never done')
  const undone = [put('a'), put('b', { ...later, covers: shown('a'), outcome: 'unknown' })]
  t.same(rules(undone, equal()), ['lost'], 'nor can this have been done: it is not live itself')
  t.same(rules([put('a', { mayBeTwins: true })], equal()), ['lost'], 'also of two twins')
})

t.test('resurrected: a covered value is live', async (t) => {
  t.same(rules(covered, equal('a', 'b')), ['resurrected'])
  t.same(rules(deleted, equal('a')), ['resurrected'])
  const unknown = [put('a'), put('b', { ...later, covers: shown('a'), outcome: 'unknown' })]
  t.same(rules(unknown, equal('a', 'b')), ['resurrected'], 'b is live, so it was done')
  const twins = [put('a', { mayBeTwins: true }), remove('d', { ...later, covers: shown('a') })]
  t.same(rules(twins, equal('a')), ['resurrected'], 'the very twin that was covered')
  const other: Final = { ...equal('a'), shown: [{ id: 'a', etag: '"of the other twin"' }] }
  t.same(rules(twins, other), [], 'the other twin was not covered')
})

t.test('invented: nobody wrote it', async (t) => {
  t.same(rules([], equal('a')), ['invented'])
  t.same(rules([put('a', { outcome: 'refused' })], equal('a')), ['invented'])
  const read = { ...strictRead(2, 'a'), isStrict: false }
  t.same(rules([put('a', { start: 9, end: 10 })], equal('a'), [read]), ['invented'])
  t.same(rules([put('a')], equal('a', 'not a value: "x"')), ['invented'])
})

t.test('unequal: replicas differ', async (t) => {
  const writes = [put('a'), put('b')]
  const [one, other] = [copy('n1', 'a', 'b'), copy('n2', 'a', 'b')]
  const behind: Final = { ...equal('a', 'b'), copies: [one, other, copy('n3', 'a')] }
  t.same(rules(writes, behind), ['unequal'], 'one is behind')
  const hidden: Final = { ...equal('a', 'b'), copies: [one, { ...other, dots: ['a', 'b', 'c'] }] }
  t.same(rules(writes, hidden), ['unequal'], 'the values agree, the dots do not')
  const twice = ['n1', 'n2', 'n3'].map((node) => ({ node, dots: ['1', '2'], values: ['a', 'a'] }))
  t.same(rules([put('a')], { ...equal('a', 'a'), copies: twice }), [], 'twins are no difference')
  const stale = ['n1', 'n2', 'n3'].map((node) => copy(node, 'a'))
  t.same(rules(writes, { ...equal('a', 'b'), copies: stale }), ['unequal'], 'and no replica has b')
})

t.test('backwards: strict reads forget', async (t) => {
  const writes = [put('a', { isStrict: true })]
  t.same(rules(writes, equal('a'), [strictRead(2)]), ['backwards'], 'a majority had it')
  t.same(rules(writes, equal('a'), [strictRead(0.5)]), [], 'not yet acknowledged')
  const plain = [put('a')]
  t.same(rules(plain, equal('a'), [strictRead(2)]), [], 'stand-ins may have acknowledged it')
  const twice = [strictRead(2, 'a'), strictRead(4)]
  t.same(rules(plain, equal('a'), twice), ['backwards'], 'an earlier strict read had shown it')
  const removed = [put('a'), remove('d', { ...later, covers: shown('a'), isStrict: true })]
  t.same(rules(removed, equal(), [strictRead(5, 'a')]), ['backwards'], 'it had been deleted')
})

t.test('a key that cannot be read after healing is told', async (t) => {
  t.same(rules([put('a')], undefined), ['unread'])
})
