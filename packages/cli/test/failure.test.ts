import { type ErrorCode, errorCatalogue, ShoalError } from '@shoal/kernel'
import picocolors from 'picocolors'
import t from 'tap'
import { exitCodes } from '../src/exit-codes.ts'
import {
  describeFailure,
  exitCodeOf,
  failureLines,
  UsageError,
  WriteInDoubt,
} from '../src/failure.ts'

const plain = picocolors.createColors(false)
const exitOf = (code: ErrorCode): number => describeFailure(new ShoalError(code, 'x')).exit

t.test('the exit code tells what a script may do next', async (t) => {
  t.equal(exitOf('SHOAL_KEY_NOT_FOUND'), exitCodes.notFound)
  t.equal(exitOf('SHOAL_SIBLING_NOT_FOUND'), exitCodes.notFound)
  t.equal(exitOf('SHOAL_BUCKET_INVALID'), exitCodes.usage)
  t.equal(exitOf('SHOAL_VALUE_TOO_LARGE'), exitCodes.usage)
  t.equal(exitOf('SHOAL_QUORUM_UNREACHABLE'), exitCodes.unavailable)
  t.equal(exitOf('SHOAL_RATE_LIMITED'), exitCodes.unavailable)
  t.equal(exitOf('SHOAL_CLIENT_UNREACHABLE'), exitCodes.unavailable)
  t.equal(exitOf('SHOAL_QUORUM_TIMEOUT'), exitCodes.unknownOutcome)
  t.equal(exitOf('SHOAL_CLIENT_CONNECTION_LOST'), exitCodes.unknownOutcome)
  t.equal(exitOf('SHOAL_PRECONDITION_FAILED'), exitCodes.failed)
  t.equal(exitOf('SHOAL_SIBLINGS_FULL'), exitCodes.failed)
})

t.test('a read that may be repeated is unavailable, not in doubt', async (t) => {
  const outcome = 'not-applied'
  const of = (code: string, status: number): number => exitCodeOf({ code, status, outcome })
  t.equal(of('SHOAL_QUORUM_TIMEOUT', 504), exitCodes.unavailable)
  t.equal(of('SHOAL_CLIENT_TIMEOUT', 0), exitCodes.unavailable)
  t.equal(of('SHOAL_CLIENT_CONNECTION_LOST', 0), exitCodes.unavailable)
  t.equal(of('SHOAL_DATA_DAMAGED', 500), exitCodes.failed)
  t.equal(of('SOMETHING_NEW', 404), exitCodes.usage, 'a code this version does not know')
})

t.test('a node that cannot start', async (t) => {
  t.equal(exitOf('SHOAL_CONFIG_INVALID'), exitCodes.usage)
  t.equal(exitOf('SHOAL_RING_MISMATCH'), exitCodes.usage)
  t.equal(exitOf('SHOAL_ADDRESS_IN_USE'), exitCodes.unavailable)
  t.equal(exitOf('SHOAL_STORE_LOCKED'), exitCodes.unavailable)
  t.equal(exitOf('SHOAL_STORE_DAMAGED'), exitCodes.failed)
  t.equal(exitOf('SHOAL_STORE_FAILED'), exitCodes.failed)
})

t.test('every code of the catalogue has an exit code other than done', async (t) => {
  const known = Object.values(exitCodes) as number[]
  for (const code of Object.keys(errorCatalogue) as ErrorCode[]) {
    const exit = exitOf(code)
    if (exit === exitCodes.done || !known.includes(exit)) t.fail(`${code} exits with ${exit}`)
  }
  t.pass('all of them')
})

t.test('an error of the client package is known by its members', async (t) => {
  const error = Object.assign(new Error('1 of 2'), {
    code: 'SHOAL_QUORUM_UNREACHABLE',
    status: 503,
    outcome: 'not-applied',
    replicas: [{ node: 'n2', role: 'primary', state: 'down', ms: 0 }],
    problem: { hint: 'wait', errors: [{ field: 'w', offset: 2, message: 'too high' }] },
  })
  const failure = describeFailure(error)
  t.match(failure, { exit: exitCodes.unavailable, hint: 'wait', outcome: 'not-applied' })
  t.same(failureLines(failure, plain), [
    'error: SHOAL_QUORUM_UNREACHABLE 1 of 2',
    '  w at 2: too high',
    '  n2 (primary): down after 0 ms',
    '  outcome: not-applied (nothing was changed)',
    '  hint: wait',
  ])
})

t.test('a write in doubt shows the key that makes it safe to repeat', async (t) => {
  const cause = new ShoalError('SHOAL_QUORUM_TIMEOUT', '1 of 2 answered')
  const failure = describeFailure(new WriteInDoubt(cause, 'key-1'))
  t.match(failure, {
    exit: exitCodes.unknownOutcome,
    code: 'SHOAL_QUORUM_TIMEOUT',
    idempotencyKey: 'key-1',
    hint: /--idempotency-key key-1/,
  })
})

t.test('a wrong command line and a bug', async (t) => {
  t.same(failureLines(describeFailure(new UsageError('no VALUE', 'Give one.')), plain), [
    'error: no VALUE',
    '  hint: Give one.',
  ])
  const bug = describeFailure(new TypeError('x is undefined'))
  t.equal(bug.exit, exitCodes.failed)
  t.match(bug.message, /bug in Shoal: x is undefined/)
  t.match(bug.stack, /failure\.test/)
  t.match(describeFailure('a string').message, /a string/)
})
