import fc from 'fast-check'
import t from 'tap'
import { etagOf, etagOfDot, indexOfEtag, liveHeaderAt, matchesEtag, relate } from '../src/index.ts'
import { ACTORS, holds, SEED, someState } from './arbitraries.ts'
import {
  byDot,
  type Dot,
  dot,
  encodeDot,
  encodeVersion,
  type Header,
  type State,
} from './oracle.ts'

t.comment(`seed ${SEED}`)
const NOW = 1_700_002_000_000
const [one, two, three] = ACTORS.slice(1, 4).map((actor, at) => dot(actor, at + 2)) as [
  Dot,
  Dot,
  Dot,
]
const value: Header = {
  tombstone: false,
  stampHi: 1,
  stampLo: 2,
  request: '0000000000000000',
  expiry: 0,
}
const versionOf = (...live: [Dot, Header][]): Buffer =>
  encodeVersion({ seen: new Set(live.map(([of]) => of)), live: new Map(live) })
const tagOf = (of: Dot): string => `"${encodeDot(of).toString('base64url')}"`

t.test('a single value is tagged by its dot, in the form HTTP allows', async (t) => {
  const etag = etagOf(versionOf([one, value]), NOW)
  t.equal(etag, tagOf(one))
  t.match(etag, /^"[A-Za-z0-9_-]{22}"$/)
  t.equal(etagOfDot(encodeDot(one)), etag)
})

t.test('siblings share one tag, and each has its own', async (t) => {
  const version = versionOf([one, value], [two, value])
  t.match(etagOf(version, NOW), /^"2\.[A-Za-z0-9_-]{22}"$/)
  t.equal(etagOfDot(version, liveHeaderAt(version, 1)), tagOf(two))
  t.equal(etagOf(version, NOW), '"2.b3E7NY8Uykpl6PZ6Luz4vA"', 'the same on every node, for ever')
})

t.test('a tombstone beside a value counts, alone it is no value', async (t) => {
  const deleted = { ...value, tombstone: true }
  t.equal(etagOf(versionOf([one, deleted]), NOW), '')
  t.not(etagOf(versionOf([one, value], [two, deleted]), NOW), tagOf(one))
})

t.test('a value that expires leaves the tag', async (t) => {
  const version = versionOf([one, { ...value, expiry: NOW }], [two, value])
  t.match(etagOf(version, NOW - 1), /^"2\./)
  t.equal(etagOf(version, NOW), tagOf(two))
  t.equal(etagOf(versionOf([one, { ...value, expiry: NOW }]), NOW), '')
  const others = versionOf([two, value], [three, value])
  const withExpired = versionOf([one, { ...value, expiry: NOW }], [two, value], [three, value])
  t.equal(etagOf(withExpired, NOW), etagOf(others, NOW))
})

t.test('tags are equal exactly when what is live is', async (t) => {
  const liveDots = ({ live }: State): string =>
    [...live]
      .filter(([, { expiry }]) => expiry === 0 || expiry > NOW)
      .map(([of]) => of)
      .sort(byDot)
      .join()
  const tags = new Map<string, string>()
  holds(
    t,
    fc.property(someState, (state) => {
      const etag = etagOf(encodeVersion(state), NOW)
      if (etag === '') return true
      const before = tags.get(etag)
      tags.set(etag, liveDots(state))
      return before === undefined || before === liveDots(state)
    }),
    { seed: SEED, numRuns: 5_000 },
  )
  t.equal(new Set(tags.values()).size, tags.size)
})

t.test('a sibling is found by its tag, with or without quotes', async (t) => {
  const version = versionOf([one, value], [two, { ...value, tombstone: true }], [three, value])
  t.equal(indexOfEtag(version, tagOf(three), NOW), 2)
  t.equal(indexOfEtag(version, tagOf(one).slice(1, -1), NOW), 0)
  t.equal(indexOfEtag(version, tagOf(two), NOW), -1, 'a tombstone is no sibling')
  for (const other of [
    '',
    '"',
    '""',
    etagOf(version, NOW),
    `${tagOf(one)}x`,
    tagOf(dot(ACTORS[4]!, 1)),
    `"${'A'.repeat(22)}="`,
  ]) {
    t.equal(indexOfEtag(version, other, NOW), -1, other)
  }
  t.equal(relate(version, version), 'same')
})

t.test('conditions: If-Match compares strongly, If-None-Match weakly', async (t) => {
  const etag = tagOf(one)
  const weak = `W/${etag}`
  const cells: [readonly string[], string, boolean, boolean][] = [
    [[etag], etag, true, true],
    [[tagOf(two), etag], etag, true, true],
    [[tagOf(two)], etag, false, false],
    [[weak], etag, false, true],
    [['*'], etag, true, true],
    [['*'], '', false, false],
    [[etag], '', false, false],
    [['""'], '', false, false],
    [[], etag, false, false],
  ]
  for (const [given, current, strong, weakly] of cells) {
    t.equal(matchesEtag(given, current, 'strong'), strong, `${given} against ${current}`)
    t.equal(matchesEtag(given, current, 'weak'), weakly, `${given} weakly against ${current}`)
  }
})
