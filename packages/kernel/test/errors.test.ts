import t from 'tap'
import {
  type CatalogueEntry,
  type ErrorCode,
  errorCatalogue,
  InvariantViolation,
  isErrorCode,
  limits,
  millis,
  nodeId,
  ShoalError,
  toProblem,
} from '../src/index.ts'

const codes = Object.keys(errorCatalogue).filter(isErrorCode)
const all = codes.map((code): [ErrorCode, CatalogueEntry] => [code, errorCatalogue[code]])

t.test('every entry reads like the others', async (t) => {
  for (const [code, { status, title, hint }] of all) {
    t.match(code, /^SHOAL(_[A-Z]+)+$/)
    t.ok(status === 0 || (Number.isInteger(status) && status >= 400 && status < 600), code)
    t.match(title, /^[A-Z][ -~]*[^.]$/, `${code}: a title is no sentence`)
    t.match(hint, /^[A-Zn][ -~]*[^.]\.$/, `${code}: a hint ends with a full stop`)
  }
  t.equal(new Set(all.map(([, { title }]) => title)).size, all.length, 'no title twice')
})

/** Statuses whose sense is that the same request, later, may do better. */
const waiting = new Set([408, 429, 503])
/** A body that broke off may come whole; damaged copies are mended from one that comes back. */
const alsoWaiting: readonly ErrorCode[] = ['SHOAL_BODY_INCOMPLETE', 'SHOAL_DATA_DAMAGED']

t.test('K7: retry and outcome do not contradict each other', async (t) => {
  for (const [code, { status, retry, outcome }] of all) {
    if (retry === 'after' || retry === 'after-read') {
      t.equal(outcome, 'not-applied', `${code}: what is simply sent again was not applied`)
    }
    if (retry === 'if-idempotent') t.equal(outcome, 'unknown', `${code}: else why the key`)
    if (retry === 'after' && status !== 0) {
      t.ok(waiting.has(status) || alsoWaiting.includes(code), `${code}: ${status} and after`)
    }
    if (waiting.has(status)) t.equal(retry, 'after', `${code}: ${status} says when`)
    if (retry === 'after-read' && status !== 0) {
      t.ok([404, 409, 412, 428].includes(status), `${code}: the state of the key was in the way`)
    }
  }
})

t.test('K8: the family of a status says whether anything was applied', async (t) => {
  for (const [code, { status, retry, outcome }] of all) {
    if (status >= 400 && status < 500) t.equal(outcome, 'not-applied', code)
    if (status === 503) t.equal(outcome, 'not-applied', code)
    if (status !== 504) continue
    t.equal(outcome, 'unknown', code)
    t.equal(retry, 'if-idempotent', code)
  }
  const statuses = new Set(all.map(([, { status }]) => status))
  const known = [400, 401, 403, 404, 405, 408, 409, 412, 413, 414, 415, 422, 428, 429, 431]
  t.same(
    [...statuses].sort((one, other) => one - other),
    [0, ...known, 500, 503, 504],
  )
})

t.test('a request that is wrong in form stays wrong', async (t) => {
  for (const [code, { status, retry }] of all) {
    if (status === 400 && code !== 'SHOAL_BODY_INCOMPLETE') t.equal(retry, 'never', code)
  }
})

t.test('hints name the bounds of this build', async (t) => {
  const grouped = (value: number): string => value.toLocaleString('en-US')
  const named: readonly [ErrorCode, string][] = [
    ['SHOAL_BUCKET_INVALID', `1 to ${limits.bucketNameBytesMax} of`],
    ['SHOAL_KEY_INVALID', `1 to ${grouped(limits.keyBytesMax)} bytes`],
    ['SHOAL_KEY_TOO_LONG', `${grouped(limits.keyBytesMax)} bytes`],
    ['SHOAL_TIMEOUT_INVALID', `from ${limits.timeoutMin} to ${grouped(limits.timeoutMax)}.`],
    ['SHOAL_TTL_INVALID', `from 1 to ${grouped(limits.ttlSecondsMax)},`],
    ['SHOAL_IDEMPOTENCY_KEY_INVALID', `1 to ${limits.idempotencyKeyCharsMax} visible`],
    [
      'SHOAL_TRACE_NOT_FOUND',
      `for ${limits.traceAge / 60_000} minutes, at most ${grouped(limits.tracesMax)}`,
    ],
    ['SHOAL_HEADERS_TIMEOUT', `within ${limits.headersTimeout / 1_000} seconds`],
    ['SHOAL_BODY_TIMEOUT', `within ${limits.bodyTimeout / 1_000} seconds`],
    ['SHOAL_HEADERS_TOO_LARGE', `within ${limits.headerBytesMax / 1_024} KiB`],
  ]
  for (const [code, words] of named) t.ok(errorCatalogue[code].hint.includes(words), code)
  const withNumbers = all.filter(([, { hint }]) => /\d/.test(hint)).map(([code]) => code)
  t.same(withNumbers.sort(), named.map(([code]) => code).sort(), 'no hint names another number')
})

t.test('codes are told from other texts', async (t) => {
  t.ok(isErrorCode('SHOAL_INTERNAL'))
  for (const text of ['', 'SHOAL_', 'shoal_internal', '__proto__', 'toString', 'constructor']) {
    t.notOk(isErrorCode(text), text)
  }
})

t.test('an error takes status, advice and outcome from its code', async (t) => {
  const cause = new InvariantViolation('the cause')
  const error = new ShoalError('SHOAL_QUORUM_TIMEOUT', 'Wanted 2 answers; had 1.', { cause })
  t.match(error, { name: 'ShoalError', code: 'SHOAL_QUORUM_TIMEOUT', status: 504 })
  t.match(error, {
    retry: 'if-idempotent',
    outcome: 'unknown',
    message: 'Wanted 2 answers; had 1.',
  })
  t.equal(error.cause, cause)
  t.notOk('cause' in new ShoalError('SHOAL_INTERNAL', 'no cause'))
  const read = new ShoalError('SHOAL_QUORUM_TIMEOUT', '', { outcome: 'not-applied' })
  t.equal(read.outcome, 'not-applied', 'the place of failure knows better')
})

t.test('K9: every code makes a problem document as RFC 9457 wants it', async (t) => {
  for (const [code, { status, title, retry, outcome, hint }] of all) {
    const problem = toProblem(new ShoalError(code, 'This time.'), 'urn:shoal:request:1')
    t.same(problem, {
      type: `urn:shoal:error:${code}`,
      title,
      status,
      detail: 'This time.',
      instance: 'urn:shoal:request:1',
      code,
      outcome,
      retry,
      hint,
    })
    t.equal(new URL(problem.type).protocol, 'urn:', 'the type is a URI')
    t.same(JSON.parse(JSON.stringify(problem)), problem)
  }
})

const full = new ShoalError('SHOAL_SIBLINGS_FULL', 'It has 50 siblings.', {
  wanted: 50,
  got: 51,
  outcome: 'not-applied',
  retryAfterMs: 1_000,
  replicas: [{ node: nodeId('n1'), role: 'primary', state: 'stored', ms: millis(1.5) }],
  errors: [{ field: 'Causal-Context', offset: 3, message: 'it covers none of them' }],
  extra: { context: 'c1.AA' },
  cause: new InvariantViolation('not for clients'),
})

t.test(
  'K9: a document carries what the error knows and nothing for what it does not',
  async (t) => {
    const { replicas, errors } = full.details
    t.match(toProblem(full), { wanted: 50, got: 51, replicas, errors, context: 'c1.AA' })
    t.notOk('extra' in toProblem(full), 'extra members stand beside the others')
    t.notOk(JSON.stringify(toProblem(full)).includes('not for clients'), 'causes stay inside')
    const bare = toProblem(new ShoalError('SHOAL_INTERNAL', ''))
    for (const name of ['instance', 'wanted', 'got', 'replicas', 'errors'])
      t.notOk(name in bare, name)
    for (const name of Object.keys(toProblem(full, 'urn:x'))) {
      t.match(name, /^[A-Za-z]\w{2,}$/, `RFC 9457, 3.2: ${name} is a name for every format`)
    }
  },
)

t.test('K9: an extra member never replaces what the catalogue says', async (t) => {
  const extra = {
    status: '200',
    code: 'FINE',
    type: 'about:blank',
    detail: 'nothing',
    note: 'kept',
  }
  const problem = toProblem(new ShoalError('SHOAL_INTERNAL', 'A bug.', { extra }))
  t.match(problem, { status: 500, code: 'SHOAL_INTERNAL', detail: 'A bug.', note: 'kept' })
  t.equal(problem.type, 'urn:shoal:error:SHOAL_INTERNAL')
  t.equal(Object.keys(problem)[0], 'type', 'and the order stays')
})
