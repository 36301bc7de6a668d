import type { Consistency } from '@shoal/coordinator'
import { ShoalError } from '@shoal/kernel'
import t from 'tap'
import {
  formatAsked,
  parseConsistency,
  readConsistency,
} from '../../src/http/headers/consistency.ts'
import { consistencyOf } from '../../src/http/headers/key-headers.ts'

const loose = { strict: false } as const

const allowed: Record<string, Consistency> = {
  one: { level: 'one', ...loose },
  quorum: { level: 'quorum', ...loose },
  all: { level: 'all', ...loose },
  '  quorum  ': { level: 'quorum', ...loose },
  'quorum;strict': { level: 'quorum', strict: true },
  'quorum;strict=?1': { level: 'quorum', strict: true },
  'quorum;strict=?0': { level: 'quorum', ...loose },
  'quorum; r=1': { level: 'quorum', ...loose, r: 1 },
  'one;w=7': { level: 'one', ...loose, w: 7 },
  'quorum;r=1;w=3;durable=1': { level: 'quorum', ...loose, r: 1, w: 3, durable: 1 },
  'quorum;durable=0': { level: 'quorum', ...loose, durable: 0 },
  'all;w=2;durable=2;strict': { level: 'all', strict: true, w: 2, durable: 2 },
  'quorum;r=9;r=2': { level: 'quorum', ...loose, r: 2 },
  'quorum;r="x";r=2': { level: 'quorum', ...loose, r: 2 },
  'quorum;strict=5;strict': { level: 'quorum', strict: true },
}

t.test('everything that is allowed is read', async (t) => {
  for (const [text, meaning] of Object.entries(allowed)) {
    t.same(parseConsistency(text), meaning, JSON.stringify(text))
  }
})

t.test('what is read is written again and read the same', async (t) => {
  for (const meaning of Object.values(allowed)) {
    t.same(parseConsistency(formatAsked(meaning)), meaning, formatAsked(meaning))
  }
})

const refused: [string, number, RegExp][] = [
  ['', 0, /missing/],
  ['two', 0, /one, quorum, all/],
  ['Quorum', 0, /one, quorum, all/],
  ['ONE', 0, /one, quorum, all/],
  ['"quorum"', 0, /one, quorum, all/],
  ['1', 0, /one, quorum, all/],
  ['?1', 0, /one, quorum, all/],
  ['one, quorum', 3, /unexpected ","/],
  ['one quorum', 4, /unexpected/],
  ['quorum;', 7, /name of a parameter/],
  ['quorum;x=1', 7, /r, w, strict, durable/],
  ['quorum;R=1', 7, /lower case/],
  ['quorum;consistency=one', 7, /r, w, strict, durable/],
  ['quorum;r=0', 9, /1 to N/],
  ['quorum;r=-1', 9, /1 to N/],
  ['quorum;r=8', 9, /1 to N/],
  ['quorum;r=1.0', 9, /whole number/],
  ['quorum;r="1"', 9, /whole number/],
  ['quorum;r', 7, /whole number/],
  ['quorum;r=', 9, /missing/],
  ['quorum;w=0', 9, /1 to N/],
  ['quorum;w=x', 9, /whole number/],
  ['quorum;durable=-1', 15, /0 to w/],
  ['quorum;durable=9', 15, /0 to w/],
  ['quorum;durable', 7, /0 to w/],
  ['quorum;w=1;durable=2', 19, /w=1/],
  ['quorum;strict=1', 14, /\?1 or \?0/],
  ['quorum;strict=true', 14, /\?1 or \?0/],
  ['quorum;r=2;r=0', 13, /1 to N/],
  ['quorum;r=99999999999999999999', 9, /15 digits/],
]

t.test('everything else is refused with its character and what is allowed', async (t) => {
  for (const [text, offset, message] of refused) {
    const error = await failure(() => parseConsistency(text))
    t.equal(error?.code, 'SHOAL_CONSISTENCY_INVALID', JSON.stringify(text))
    t.match(
      error?.details.errors,
      [{ field: 'Consistency', offset, message }],
      JSON.stringify(text),
    )
    t.match(error?.details.wanted, /one, quorum or all/)
  }
})

t.test('the alias means the same, and both may stand if they do', async (t) => {
  const meaning: Consistency = { level: 'one', ...loose }
  t.same(consistencyOf({ 'x-consistency': 'one' }), meaning)
  t.same(consistencyOf({ consistency: 'one', 'x-consistency': ' one' }), meaning)
  t.equal(consistencyOf({}), undefined)
  const error = await failure(() => consistencyOf({ consistency: 'one', 'x-consistency': 'all' }))
  t.match(error?.details, { wanted: 'one', got: 'all', errors: [{ field: 'X-Consistency' }] })
})

t.test('texts seen before are remembered, and the memory stays bounded', async (t) => {
  const first = readConsistency('quorum;r=1;w=2')
  t.equal(readConsistency('quorum;r=1;w=2'), first, 'the same object')
  for (let spaces = 0; spaces < 2_000; spaces++) readConsistency(`one${' '.repeat(spaces)}`)
  t.not(readConsistency('quorum;r=1;w=2'), first, 'forgotten since')
  t.same(readConsistency('quorum;r=1;w=2'), first)
})

async function failure(work: () => unknown): Promise<ShoalError | undefined> {
  try {
    work()
    return undefined
  } catch (error) {
    if (error instanceof ShoalError) return error
    throw error
  }
}
