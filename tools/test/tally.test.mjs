import t from 'tap'
import { Parser } from 'tap-parser'
import { count, describeFailure, follow } from '../lib/tally.mjs'

function countOf(...lines) {
  const parser = new Parser()
  const block = follow(parser, 'file')
  parser.end(['TAP version 14', ...lines, ''].join('\n'))
  return count(block)
}

t.test('a block with assertions of its own is one test, however many they are', async (t) => {
  const counts = countOf(
    '# Subtest: outer',
    '    # Subtest: inner',
    '        ok 1 - a',
    '        ok 2 - b',
    '        1..2',
    '    ok 1 - inner',
    '    1..1',
    'ok 1 - outer',
    'ok 2 - directly',
    '1..2',
  )
  t.match(counts, { passed: 2, failed: 0, skipped: 0, assertions: 3, failures: [] })
})

t.test('a failure is told with the blocks around it and counted once for its block', async (t) => {
  const counts = countOf(
    '# Subtest: outer',
    '    ok 1 - fine',
    '    not ok 2 - wrong',
    '      ---',
    '      at:',
    '        fileName: test/x.test.ts',
    '        lineNumber: 4',
    '        columnNumber: 5',
    '      seed: 17',
    '      ...',
    '    not ok 3 - wrong too',
    '    1..3',
    'not ok 1 - outer',
    '1..1',
  )
  t.match(counts, { passed: 0, failed: 1, assertions: 3 })
  t.same(
    counts.failures.map(({ path, message }) => [...path, message]),
    [
      ['file', 'outer', 'wrong'],
      ['file', 'outer', 'wrong too'],
    ],
  )
  t.equal(
    describeFailure(counts.failures[0], 'packages/ring'),
    'FAIL file > outer\n  wrong\n  at packages/ring/test/x.test.ts:4:5\n    seed: 17',
  )
})

t.test('a stream cut off is a failure', async (t) => {
  const counts = countOf('# Subtest: outer', '    ok 1 - fine')
  t.equal(counts.passed, 0)
  t.ok(counts.failed > 0)
})

t.test('a plan not kept is a failure', async (t) => {
  t.match(countOf('ok 1 - a', '1..2'), { passed: 0, failed: 1 })
})

t.test('skipped and unfinished tests are not passed', async (t) => {
  const counts = countOf('ok 1 - a # SKIP no disk', 'ok 2 - b # todo', '1..2')
  t.match(counts, { passed: 0, failed: 0, skipped: 2 })
})

t.test('a block that ended badly though all held has failed', async (t) => {
  const parser = new Parser()
  const block = follow(parser, 'file')
  parser.end('TAP version 14\nok 1 - a\n1..1\n')
  block.ok = false
  t.match(count(block), { passed: 0, failed: 1, failures: [{ message: /ended badly/ }] })
})

t.test('a test that is left out says why', async (t) => {
  const counts = countOf(
    '# Subtest: outer',
    '    ok 1 - the chart # SKIP helm not found',
    '    ok 2 - fine',
    '    1..2',
    'ok 1 - outer',
    '1..1',
  )
  t.match(counts, { passed: 1, skipped: 1 })
  t.same(counts.leftOut, [{ name: 'the chart', reason: 'helm not found' }])
})
