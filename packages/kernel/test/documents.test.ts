import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { errorPage, limitPage } from '../src/documents.ts'
import { errorCatalogue, InvariantViolation, limits } from '../src/index.ts'

const root = join(import.meta.dirname, '..', '..', '..', '..')
const read = (path: string): Promise<string> => readFile(join(root, path), 'utf8')
const source = await read('packages/kernel/src/limits.ts')

t.test('K11: docs/errors.md is the catalogue', async (t) => {
  t.equal(await read('docs/errors.md'), errorPage(), 'npm run docs writes it again')
})

t.test('K11: docs/limits.md is the table of limits', async (t) => {
  t.equal(await read('docs/limits.md'), limitPage(source), 'npm run docs writes it again')
})

t.test('every code and every limit has one row', async (t) => {
  const rowsOf = (page: string): (string | undefined)[] =>
    [...page.matchAll(/^\| `(SHOAL_\w+|\w+(?=` \| [\d.,]+( |$)))` \|.*\|$/gm)].map(
      ([, name]) => name,
    )
  t.same(rowsOf(errorPage()).sort(), Object.keys(errorCatalogue).sort())
  t.same(rowsOf(limitPage(source)), Object.keys(limits))
})

t.test('the rows of a table have as many cells as its head', async (t) => {
  for (const page of [errorPage(), limitPage(source)]) {
    for (const block of page.split('\n\n').filter((text) => text.startsWith('|'))) {
      const cells = block
        .trim()
        .split('\n')
        .map((line) => line.split(/(?<!\\)\|/).length)
      t.equal(new Set(cells).size, 1, block.slice(0, 60))
    }
  }
})

t.test('values are in words', async (t) => {
  const page = limitPage(source)
  for (const row of [
    '| `bucketNameBytesMax` | 128 bytes | ',
    '| `keyBytesMax` | 1 KiB | ',
    '| `storeFreeBytesMin` | 512 MiB | ',
    '| `listKeysMax` | 1,000 keys | ',
    '| `timeoutMin` | 1 millisecond | ',
    '| `timeoutMax` | 1 minute | ',
    '| `peerContest` | 1.5 seconds | ',
    '| `memberWeightMin` | 0.1 | ',
    '| `peerRequestsInFlightMax` | 16,384 requests | ',
    '| `idempotencyKeyCharsMax` | 128 characters | ',
  ]) {
    t.ok(page.includes(row), row)
  }
})

t.test('a source that is not of this build, or says nothing of a limit, is refused', async (t) => {
  const without = (part: string): string => source.replace(part, '')
  t.throws(() => limitPage(''), InvariantViolation)
  t.throws(() => limitPage(without('  keyBytesMax: 1_024,\n')), InvariantViolation)
  t.throws(() => limitPage(without('  /** Of a key, decoded. */\n')), InvariantViolation)
  t.throws(() => limitPage(without('  // What a client may send.\n')), InvariantViolation)
})
