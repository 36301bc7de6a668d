import fc from 'fast-check'
import { parseItem as libraryItem, Token } from 'structured-headers'
import t from 'tap'
import { type Bare, isFault, parseItem } from '../../src/http/headers/structured.ts'

t.test('an item and its parameters are read with their places', async (t) => {
  t.same(parseItem('quorum;r=1;strict'), {
    kind: 'token',
    value: 'quorum',
    offset: 0,
    parameters: [
      { name: 'r', nameOffset: 7, kind: 'integer', value: 1, offset: 9 },
      { name: 'strict', nameOffset: 11, kind: 'boolean', value: true, offset: 11 },
    ],
  })
})

t.test('every kind of bare item', async (t) => {
  const cells: [string, string, unknown][] = [
    ['42', 'integer', 42],
    ['-7', 'integer', -7],
    ['1.5', 'decimal', 1.5],
    ['"a \\"b\\" \\\\"', 'string', 'a "b" \\'],
    ['*to/ken:x', 'token', '*to/ken:x'],
    [':aGk=:', 'bytes', ':aGk=:'],
    ['?1', 'boolean', true],
    ['?0', 'boolean', false],
    ['@1659578233', 'date', 1659578233],
    ['%"f%c3%bc"', 'display', 'fü'],
  ]
  for (const [text, kind, value] of cells) {
    t.match(parseItem(text), { kind, value, offset: 0 }, text)
  }
})

t.test('what is no item is told with the character', async (t) => {
  const cells: [string, number][] = [
    ['', 0],
    ['   ', 3],
    ['one two', 4],
    ['one,', 3],
    ['one;', 4],
    ['one;R=1', 4],
    ['one;r=', 6],
    ['one;r=1;', 8],
    ['one ;r=1', 4],
    ['one;r =1', 6],
    ['"open', 0],
    ['"tab\t"', 0],
    ['?2', 0],
    ['1.', 0],
    ['1.2345', 0],
    ['1234567890123456', 0],
    ['--1', 0],
    ['@1.5', 0],
    ['%"%ff"', 0],
    ['%"%C3%BC"', 0],
    [':a:', 0],
    ['é', 0],
    ['(1 2)', 0],
  ]
  for (const [text, offset] of cells) {
    const result = parseItem(text)
    t.ok(isFault(result), `${JSON.stringify(text)} is refused`)
    t.equal(isFault(result) && result.offset, offset, `${JSON.stringify(text)} at its character`)
  }
})

/**
 * Texts near the grammar, so that most differ from an item by little. Dates: the library has none
 * within parameters.
 */
const nearItems = fc
  .array(
    fc.constantFrom(
      ...[
        'one',
        'quorum',
        ';',
        ';r',
        '=',
        '1',
        '-2',
        '3.25',
        '"s"',
        '"\\""',
        '?1',
        '?0',
        ' ',
        ':YQ==:',
      ],
      ...['*a', '.', '%"a"', ',', 'Z', '"', '\\', ';strict', ';w=3', '\t', '0', '?', ':', 'é'],
    ),
    { maxLength: 7 },
  )
  .map((parts) => parts.join(''))

t.test('agrees with an independent parser on what is an item, and on its meaning', async (t) => {
  const seed = 20_260_101
  t.comment(`seed ${seed}`)
  fc.assert(
    fc.property(nearItems, (text) => {
      const ours = parseItem(text)
      const theirs = attempt(() => libraryItem(text))
      if (theirs === undefined || isFault(ours)) return isFault(ours) === (theirs === undefined)
      const [value, parameters] = theirs
      const last = new Map(ours.parameters.map((one) => [one.name, plain(one)]))
      const same = [...parameters].every(([name, other]) => last.get(name) === simplify(other))
      return same && last.size === parameters.size && simplify(value) === plain(ours)
    }),
    { seed, numRuns: 20_000 },
  )
  t.pass('on 20,000 texts')
})

function attempt<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch {
    return undefined
  }
}

const plain = ({ kind, value }: Bare): unknown => (kind === 'bytes' ? 'bytes' : value)

const simplify = (value: unknown): unknown => {
  if (value instanceof Token) return value.toString()
  if (value instanceof ArrayBuffer) return 'bytes'
  return typeof value === 'object' ? String(value) : value
}
