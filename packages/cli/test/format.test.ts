import t from 'tap'
import { onOneLine, readableText, textOf } from '../src/format/plain-text.ts'
import {
  formatBytes,
  formatCount,
  formatMillis,
  formatPercent,
  plural,
} from '../src/format/quantities.ts'
import { shellLine } from '../src/format/shell-line.ts'
import { tableLines } from '../src/format/table.ts'

t.test('bytes', async (t) => {
  t.equal(formatBytes(0), '0 B')
  t.equal(formatBytes(1_023), '1023 B')
  t.equal(formatBytes(1_536), '1.5 KiB')
  t.equal(formatBytes(64 * 2 ** 20), '64 MiB')
  t.equal(formatBytes(2 ** 60), '1024 PiB', 'there is no unit above')
})

t.test('times', async (t) => {
  t.equal(formatMillis(0.2149), '0.21 ms')
  t.equal(formatMillis(12.34), '12.3 ms')
  t.equal(formatMillis(999), '999 ms')
  t.equal(formatMillis(1_500), '1.5 s')
  t.equal(formatMillis(61_000), '1 m 1 s')
  t.equal(formatMillis(3 * 3_600_000 + 300_000), '3 h 5 m')
  t.equal(formatMillis(49 * 3_600_000), '2 d 1 h')
})

t.test('counts and shares', async (t) => {
  t.equal(formatCount(999), '999')
  t.equal(formatCount(1_234_567), '1,234,567')
  t.equal(formatPercent(0), '0 %')
  t.equal(formatPercent(0.0321), '3.21 %')
  t.equal(formatPercent(1), '100 %')
  t.equal(plural(1, 'node'), '1 node')
  t.equal(plural(1_000, 'copy', 'copies'), '1,000 copies')
})

t.test('a table keeps its columns, without trailing space and whatever the colour', async (t) => {
  const columns = [{ title: 'node' }, { title: 'load', align: 'right' }, { title: 'url' }] as const
  const red = (text: string): string => `<${text}>`
  const lines = tableLines(columns, [
    [{ text: 'n1', paint: red }, '5', 'http://a'],
    ['node-10', { text: '100', paint: red }, ''],
  ])
  t.same(lines, ['node     load  url', '<n1>          5  http://a', 'node-10   <100>'])
})

t.test('text that could upset a terminal is escaped on one line', async (t) => {
  t.equal(onOneLine('cart/42 und Käse 🐟'), 'cart/42 und Käse 🐟')
  t.equal(onOneLine('a\nb'), '"a\\nb"')
  t.equal(onOneLine('\u001b[31m'), '"\\u001b[31m"')
  t.equal(onOneLine('a\u202eb'), '"a\\u202eb"', 'right-to-left override')
  t.equal(onOneLine('a\u0085b'), '"a\\u0085b"', 'a control that JSON leaves alone')
  t.equal(onOneLine('"quoted"'), '"\\"quoted\\""', 'or it could be taken for an escaped one')
})

t.test('bytes that can be shown', async (t) => {
  t.equal(readableText(Buffer.from('milk\tand\nbread\r\n')), 'milk\tand\nbread\r\n')
  t.equal(readableText(Buffer.from('')), '')
  t.equal(readableText(Buffer.from([0xff, 0xfe])), undefined)
  t.equal(readableText(Buffer.from('a\u0007')), undefined)
  t.equal(textOf(Buffer.from('\ufeffa')), '\ufeffa', 'nothing is dropped')
  t.equal(textOf(Buffer.from([0xc3])), undefined)
})

t.test('a line for a shell', async (t) => {
  t.equal(shellLine(['shoal', 'get', 'carts', '42']), 'shoal get carts 42')
  t.equal(shellLine(['put', "it's", '$HOME', '"5d"', '']), `put 'it'\\''s' '$HOME' '"5d"' ''`)
})
