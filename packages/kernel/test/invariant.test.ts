import t from 'tap'
import { InvariantViolation, invariant, ShoalError, unreachable } from '../src/index.ts'

function violation(break_: () => void): InvariantViolation {
  try {
    break_()
  } catch (error) {
    if (error instanceof InvariantViolation) return error
    throw error
  }
  throw new InvariantViolation('nothing was thrown')
}

t.test('a rule that holds costs no look at what was seen', async (t) => {
  let looked = 0
  invariant(true, 'a rule', () => ++looked)
  t.equal(looked, 0)
})

t.test('a broken rule is thrown in its own words', async (t) => {
  const error = violation(() => invariant(false, 'a coordinator is always a replica'))
  t.equal(error.message, 'a coordinator is always a replica')
  t.equal(error.name, 'InvariantViolation')
  t.notOk((error as Error) instanceof ShoalError, 'nobody who expects failures catches it')
})

t.test('what broke the rule is shown, numbers beyond JSON included', async (t) => {
  const seen = () => ({ token: 2n ** 64n - 1n, partition: 7, owners: ['n1'] })
  const error = violation(() => invariant(false, 'a partition has three owners', seen))
  const shown = '{"token":"18446744073709551615n","partition":7,"owners":["n1"]}'
  t.equal(error.message, `a partition has three owners; saw ${shown}`)
})

t.test('K6: whatever was seen, the violation is thrown and names its rule', async (t) => {
  const cycle: { self?: unknown } = {}
  cycle.self = cycle
  const seen: readonly unknown[] = [
    undefined,
    null,
    Number.NaN,
    Symbol('odd'),
    () => 1,
    cycle,
    1n,
    { toJSON: () => invariant(false, 'another') },
    Buffer.alloc(1_000_000),
  ]
  for (const value of seen) {
    const { message } = violation(() => invariant(false, 'a rule', () => value))
    t.match(message, /^a rule; saw ./s)
    t.ok(message.length < 3_000, 'a large value does not fill the log')
  }
})

t.test('a case the types rule out is thrown when it comes', async (t) => {
  const fromOutside = (value: unknown): never => value as never
  t.match(
    violation(() => unreachable(fromOutside({ kind: 'odd' }))).message,
    'no case for {"kind":"odd"}',
  )
  t.match(violation(() => unreachable(fromOutside(12n))).message, 'no case for "12n"')
  t.match(violation(() => unreachable(fromOutside(undefined))).message, 'no case for undefined')
})
