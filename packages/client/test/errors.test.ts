/** Which class an error has, and what it says. */
import { type ErrorCode, errorCatalogue } from '@shoal/kernel'
import t from 'tap'
import { errorFrom } from '../src/errors.ts'
import * as face from '../src/index.ts'
import { ShoalClientError } from '../src/index.ts'
import { lost, refusal, silent, unsent } from './support/facts.ts'

const families: Readonly<Record<number, string>> = {
  400: 'BadRequest',
  401: 'Unauthenticated',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'BadRequest',
  408: 'Unavailable',
  409: 'Conflict',
  412: 'PreconditionFailed',
  413: 'BadRequest',
  414: 'BadRequest',
  415: 'BadRequest',
  422: 'BadRequest',
  428: 'PreconditionFailed',
  429: 'RateLimited',
  431: 'BadRequest',
  500: 'Internal',
  503: 'Unavailable',
  504: 'UnknownOutcome',
}

t.test('every error of the catalogue has its family, its code and its advice', async (t) => {
  for (const code of Object.keys(errorCatalogue) as ErrorCode[]) {
    const { status, retry, outcome } = errorCatalogue[code]
    if (status === 0) continue
    const error = errorFrom(refusal(code))
    t.ok(error instanceof ShoalClientError && error instanceof Error)
    t.match(error, { name: families[status], code, status, retry, outcome, message: 'as told' })
    t.equal(
      errorFrom(refusal(code, { write: false })).outcome,
      'not-applied',
      'reads apply nothing',
    )
  }
  t.equal(errorFrom(refusal('SHOAL_QUORUM_TIMEOUT', { write: false })).name, 'DeadlineExceeded')
})

t.test('failures on the way have families too', async (t) => {
  t.match(errorFrom(lost()), {
    name: 'ConnectionLost',
    outcome: 'unknown',
    status: 0,
    replicas: [],
  })
  t.match(errorFrom(lost('a', false)), { name: 'ConnectionLost', outcome: 'not-applied' })
  t.match(errorFrom(unsent()), { name: 'Unavailable', outcome: 'not-applied', node: 'a' })
  t.match(errorFrom(silent()), { name: 'DeadlineExceeded', outcome: 'unknown' })
})

t.test('doubt survives whatever came later, and the later is the cause (CL4)', async (t) => {
  const error = errorFrom(refusal('SHOAL_OVERLOADED'), refusal('SHOAL_QUORUM_TIMEOUT'))
  t.match(error, { name: 'UnknownOutcome', outcome: 'unknown', code: 'SHOAL_QUORUM_TIMEOUT' })
  t.match(error.cause, { name: 'Unavailable', code: 'SHOAL_OVERLOADED' })
  const still = errorFrom(refusal('SHOAL_QUORUM_UNMET'), lost())
  t.match(still, { code: 'SHOAL_QUORUM_UNMET', outcome: 'unknown' })
  const ended = { ...refusal('SHOAL_OVERLOADED'), code: 'SHOAL_CLIENT_ABORTED' }
  t.match(
    errorFrom(ended, lost()),
    { name: 'AbortError', outcome: 'unknown' },
    "the caller's own end stays one",
  )
})

t.test('a failed precondition tells what the key has now', async (t) => {
  const failure = refusal('SHOAL_PRECONDITION_FAILED')
  const problem = { ...failure.problem!, etag: '"7"', context: 'c1.x' }
  const error = errorFrom({ ...failure, problem })
  t.match(error, { currentEtag: '"7"', currentContext: 'c1.x' })
  t.match(errorFrom(failure), { currentEtag: undefined })
})

t.test('every family is exported', async (t) => {
  const exported = new Set(Object.keys(face))
  for (const name of [...Object.values(families), 'Aborted', 'Closed', 'ConnectionLost']) {
    t.ok(exported.has(name), name)
  }
})
