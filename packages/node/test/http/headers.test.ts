import { ShoalError } from '@shoal/kernel'
import t from 'tap'
import { matches, parseEntityTags, quoted, weakened } from '../../src/http/headers/entity-tags.ts'
import {
  checkContext,
  checkIdempotencyKey,
  checkSession,
  parseExplain,
} from '../../src/http/headers/fields.ts'
import { readValueHeaders } from '../../src/http/headers/key-headers.ts'
import {
  checkContentEncoding,
  checkMediaType,
  essenceOf,
} from '../../src/http/headers/media-type.ts'
import { chooseType, prefersResolved, siblingForms } from '../../src/http/headers/negotiation.ts'
import { parseTimeout, parseTtl } from '../../src/http/headers/numbers.ts'

type Place = {
  readonly code: string
  readonly field?: string
  readonly offset?: number | undefined
}

function placeOf(work: () => unknown): Place | undefined {
  try {
    work()
    return undefined
  } catch (error) {
    if (!(error instanceof ShoalError)) throw error
    const [first] = error.details.errors ?? []
    return { code: error.code, ...(first && { field: first.field, offset: first.offset }) }
  }
}

t.test('If-Match and If-None-Match', async (t) => {
  const read = (text: string) => parseEntityTags(text, 'If-Match')
  t.same(read('*'), ['*'])
  t.same(read(' * '), ['*'])
  t.same(read('"a"'), ['"a"'])
  t.same(read('"a", "b" ,"c"'), ['"a"', '"b"', '"c"'])
  t.same(read('"a",, ,"b",'), ['"a"', '"b"'], 'empty elements are passed over')
  t.same(read('W/"a", "x,y"'), ['W/"a"', '"x,y"'])
  t.same(read('""'), ['""'])
  const code = 'SHOAL_PRECONDITION_INVALID'
  const cells: [string, number][] = [
    ['', 0],
    [' ', 0],
    [',', 0],
    ['a', 0],
    ['"a', 0],
    ['"a" "b"', 0],
    ['"a", b', 5],
    ['*, "a"', 0],
    ['w/"a"', 0],
    ['"a b"', 0],
    ['"a"b', 0],
  ]
  for (const [text, offset] of cells) {
    t.same(
      placeOf(() => read(text)),
      { code, field: 'If-Match', offset },
      JSON.stringify(text),
    )
  }
  t.ok(matches(['*'], '"a"'))
  t.notOk(matches(['*'], ''), 'any value, but there is none')
  t.notOk(matches(['W/"a"'], '"a"'), 'strong comparison')
  t.ok(matches(weakened(['W/"a"']), '"a"'), 'weak comparison')
  t.equal(quoted('a'), '"a"')
  t.equal(quoted('"a"'), '"a"')
})

t.test('Shoal-Timeout and TTL', async (t) => {
  t.equal(parseTimeout('1'), 1)
  t.equal(parseTimeout('60000'), 60_000)
  t.equal(parseTtl('1'), 1)
  t.equal(parseTtl('316224000'), 316_224_000)
  for (const text of [
    '',
    '0',
    '60001',
    '-1',
    '+1',
    '1.5',
    '1e3',
    '01',
    ' 1',
    '1 ',
    'x',
    '0x10',
    '١',
  ]) {
    t.match(
      placeOf(() => parseTimeout(text)),
      { code: 'SHOAL_TIMEOUT_INVALID', field: 'Shoal-Timeout' },
      text,
    )
  }
  t.same(
    placeOf(() => parseTimeout('12x4')),
    { code: 'SHOAL_TIMEOUT_INVALID', field: 'Shoal-Timeout', offset: 2 },
  )
  for (const text of ['', '0', '316224001', '-5', '1.0', 'forever', '99999999999999999999']) {
    t.match(
      placeOf(() => parseTtl(text)),
      { code: 'SHOAL_TTL_INVALID', field: 'TTL' },
      text,
    )
  }
})

t.test('Content-Type', async (t) => {
  const good = [
    'text/plain',
    'text/plain;charset=utf-8',
    'text/plain; charset="utf-8"; x=y',
    'application/vnd.a+json',
    'a/b;',
    'a/b ; c="d \\" e"',
    'image/svg+xml',
  ]
  for (const text of good) t.equal(checkMediaType(text, 'Content-Type'), text)
  const cells: [string, number][] = [
    ['', 0],
    ['text', 0],
    ['text/', 0],
    ['/plain', 0],
    ['text/plain text', 10],
    ['text/plain, text/html', 10],
    ['text/plain;charset', 11],
    ['text/plain;charset=', 11],
    ['text/plain;a="x', 11],
    ['te xt/plain', 0],
    ['text/plain;a=b c', 14],
    [`text/${'a'.repeat(252)}`, 256],
  ]
  for (const [text, offset] of cells) {
    t.same(
      placeOf(() => checkMediaType(text, 'Content-Type')),
      { code: 'SHOAL_MEDIA_TYPE_INVALID', field: 'Content-Type', offset },
      JSON.stringify(text),
    )
  }
  t.equal(essenceOf('Application/JSON ; charset=x'), 'application/json')
})

t.test('Content-Encoding and Content-Range', async (t) => {
  for (const text of ['gzip', 'gzip, br', 'identity']) t.equal(checkContentEncoding(text), text)
  for (const text of ['', ',', 'gzip,', 'g zip', 'gzip;q=1', 'x'.repeat(256)]) {
    t.match(
      placeOf(() => checkContentEncoding(text)),
      { code: 'SHOAL_HEADER_INVALID', field: 'Content-Encoding' },
      text,
    )
  }
  t.match(
    placeOf(() => readValueHeaders({ 'content-range': 'bytes 0-1/2' })),
    { code: 'SHOAL_HEADER_INVALID', field: 'Content-Range' },
  )
})

t.test(
  'contexts, idempotency keys and sessions are passed on unread, but not anything',
  async (t) => {
    t.equal(checkContext('c1.abc'), 'c1.abc')
    t.equal(checkContext('c'.repeat(8_192)).length, 8_192)
    t.match(
      placeOf(() => checkContext('')),
      { code: 'SHOAL_CONTEXT_INVALID', offset: 0 },
    )
    t.match(
      placeOf(() => checkContext('c'.repeat(8_193))),
      { code: 'SHOAL_CONTEXT_INVALID', offset: 8_192 },
    )
    t.match(
      placeOf(() => checkContext('c1.a b')),
      { code: 'SHOAL_CONTEXT_INVALID', offset: 4 },
    )
    t.match(
      placeOf(() => checkContext('c1.é')),
      { code: 'SHOAL_CONTEXT_INVALID', offset: 3 },
    )
    t.equal(checkIdempotencyKey('~!"{}'), '~!"{}')
    const key = 'SHOAL_IDEMPOTENCY_KEY_INVALID'
    t.match(
      placeOf(() => checkIdempotencyKey('')),
      { code: key, offset: 0 },
    )
    t.match(
      placeOf(() => checkIdempotencyKey('k'.repeat(129))),
      { code: key, offset: 128 },
    )
    t.match(
      placeOf(() => checkIdempotencyKey('a b')),
      { code: key, offset: 1 },
    )
    t.match(
      placeOf(() => checkIdempotencyKey('a\x7f')),
      { code: key, offset: 1 },
    )
    for (const text of ['new', 's1.abc', 's1.abc, c1.def', 's1.a,s1.b', 'new, s1.a']) {
      t.equal(checkSession(text), text)
    }
    for (const text of ['', ',', 's1.a,', 's1.a s1.b', 'é', 's'.repeat(20_481)]) {
      t.match(
        placeOf(() => checkSession(text)),
        { code: 'SHOAL_SESSION_INVALID' },
        text.slice(0, 20),
      )
    }
    t.match(
      placeOf(() => checkSession('s1.a s1.b')),
      { offset: 3 },
    )
  },
)

t.test('Explain', async (t) => {
  t.equal(parseExplain('?1'), true)
  t.equal(parseExplain('?0'), false)
  for (const text of ['', '1', 'true', '?2', '?1;x', '?1, ?1', '"?1"']) {
    t.match(
      placeOf(() => parseExplain(text)),
      { code: 'SHOAL_HEADER_INVALID', field: 'Explain' },
      text,
    )
  }
})

t.test('Accept chooses among forms, and never fails', async (t) => {
  const [json, siblings, multipart] = siblingForms
  const cells: [string | undefined, string][] = [
    [undefined, json],
    ['*/*', json],
    ['', json],
    ['text/html', json],
    ['multipart/mixed', multipart],
    ['multipart/*', multipart],
    [siblings, siblings],
    [`${siblings};q=0.5, multipart/mixed;q=0.9`, multipart],
    [`${json};q=0, */*;q=0.1`, siblings],
    ['multipart/mixed;q=0', json],
    [`application/*, ${siblings};q=0.2`, json],
    ['text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2', json],
    ['MULTIPART/MIXED', multipart],
    [';;;,,,q=', json],
    ['multipart/mixed;q=2', json],
  ]
  for (const [accept, form] of cells) t.equal(chooseType(accept, siblingForms), form, `${accept}`)
})

t.test('Prefer', async (t) => {
  for (const text of [
    'siblings=resolve',
    'a, siblings=resolve',
    'siblings="resolve"',
    'Siblings = resolve; x=1',
  ]) {
    t.ok(prefersResolved(text), text)
  }
  for (const text of [
    '',
    'siblings',
    'siblings=all',
    'resolve',
    'x=siblings=resolve',
    'siblings=a, siblings=resolve',
  ]) {
    t.notOk(prefersResolved(text), text)
  }
})
