import { PassThrough } from 'node:stream'
import { finished } from 'node:stream/promises'
import t from 'tap'
import { LastLines } from '../src/dev/last-lines.ts'

t.test('lines come whole, however they are cut, and the last are remembered', async (t) => {
  const seen: string[] = []
  const lines = new LastLines((line) => seen.push(line))
  const stream = new PassThrough()
  lines.follow(stream)
  stream.write('one\ntw')
  stream.write('o\r\n\nKä')
  stream.write(Buffer.from('se\nfis'))
  for (const byte of Buffer.from('h 🐟')) stream.write(Buffer.from([byte]))
  stream.end()
  await finished(stream)
  t.same(seen, ['one', 'two', '', 'Käse', 'fish 🐟'], 'the last without a line end')
  t.same(lines.last, seen)
})

t.test('neither many lines nor a long one fill the memory', async (t) => {
  let count = 0
  const lines = new LastLines(() => count++)
  const stream = new PassThrough()
  lines.follow(stream)
  stream.write(`${'x'.repeat(100_000)}`)
  for (let line = 0; line < 1_000; line++) stream.write(`\nline ${line}`)
  stream.end('\n')
  await finished(stream)
  t.ok(count >= 1_000)
  t.equal(lines.last.length, 20)
  t.equal(lines.last.at(-1), 'line 999')
})
