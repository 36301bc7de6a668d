/**
 * Microseconds of CPU per call of what every request does. Run with
 * `node packages/causality/dist/bench/bench.js`; a benchmark is never a timed test.
 */
import {
  answerContext,
  compareClocks,
  createContextCodec,
  createSessionCodec,
  emptySession,
  etagOf,
  joinClocks,
  joinIntoSession,
  mergeVersions,
  nextStamp,
  overwriteContext,
  putVersion,
  relate,
  type Stamp,
  stampOfMillis,
  validateVersion,
  versionClock,
  type Write,
} from '../src/index.ts'

const ACTORS = Array.from({ length: 9 }, (_none, index) =>
  Buffer.from(`${index}3${index}7a1b2c3d4e5f6`.padEnd(16, '0').slice(0, 16), 'hex'),
)
const REQUEST = Buffer.from('0102030405060708', 'hex')
const WALL = 1_700_000_000_000

const writeOf = (actor: number, counter: number): Write => ({
  actor: ACTORS[actor] as Buffer,
  counter,
  tombstone: false,
  stamp: { hi: 25_939_941, lo: counter },
  request: REQUEST,
  expiry: 0,
})

/** A state that `actors` replicas coordinated in turn, one live value. */
function stateOf(actors: number, counter: number): Buffer {
  let version: Buffer | undefined
  for (let actor = 0; actor < actors; actor++) {
    version = putVersion(version, overwriteContext(version), writeOf(actor, counter)).version
  }
  return version as Buffer
}

let sink = 0

/** Copies, so that nothing depends on one buffer being in the cache or being the same object. */
const copies = (bytes: Buffer): Buffer[] => Array.from({ length: 64 }, () => Buffer.from(bytes))

function measure(name: string, call: (turn: number) => unknown): void {
  const rounds = (count: number): number => {
    const before = process.cpuUsage()
    for (let turn = 0; turn < count; turn++) sink += call(turn) === undefined ? 1 : 0
    const { user, system } = process.cpuUsage(before)
    return (user + system) / count
  }
  rounds(50_000)
  const best = Math.min(rounds(200_000), rounds(200_000), rounds(200_000))
  console.log(`${name.padEnd(46)} ${best.toFixed(3).padStart(7)} µs`)
}

const pick = <T>(items: readonly T[], turn: number): T => items[turn & 63] as T

for (const actors of [1, 3, 8]) {
  const old = copies(stateOf(actors, 1_000))
  const next = copies(
    putVersion(old[0], overwriteContext(old[0]), writeOf(actors - 1, 1_007)).version,
  )
  const other = copies(putVersion(old[0], undefined, writeOf(8, 1_009)).version)
  const contexts = old.map((version) => Buffer.from(versionClock(version)))
  const actor = actors - 1
  const of = `${actors} actor${actors > 1 ? 's' : ''}`
  measure(`relate take, ${of}`, (turn) => relate(pick(old, turn), pick(next, turn)))
  measure(`relate keep, ${of}`, (turn) => relate(pick(next, turn), pick(old, turn)))
  measure(`relate same, ${of}`, (turn) => relate(pick(old, turn), pick(old, turn + 1)))
  measure(`relate mix, ${of}`, (turn) => relate(pick(other, turn), pick(next, turn)))
  measure(`mergeVersions, two siblings, ${of}`, (turn) =>
    mergeVersions(pick(other, turn), pick(next, turn)),
  )
  const write = writeOf(actor, 1_010)
  measure(`putVersion, blind overwrite, ${of}`, (turn) => {
    const local = pick(old, turn)
    return putVersion(local, overwriteContext(local), write)
  })
  measure(`putVersion, context of a read, ${of}`, (turn) =>
    putVersion(pick(old, turn), pick(contexts, turn), write),
  )
  measure(`putVersion, beside a sibling, ${of}`, (turn) =>
    putVersion(pick(old, turn), undefined, write),
  )
  measure(`compareClocks, ${of}`, (turn) => compareClocks(pick(old, turn), 0, pick(next, turn), 0))
  measure(`joinClocks, concurrent, ${of}`, (turn) =>
    joinClocks(pick(other, turn), pick(next, turn)),
  )
  measure(`validateVersion, ${of}`, (turn) => validateVersion(pick(next, turn)))

  const codec = createContextCodec({ key: Buffer.alloc(16, 3), clusterId: '0123456789abcdef' })
  const name = Buffer.from('carts\x00customer-000042')
  const tokens = contexts.map((clock) => codec.encode(clock, name))
  measure(`context encode, ${of}`, (turn) => codec.encode(pick(contexts, turn), name))
  measure(`context decode, ${of}`, (turn) => codec.decode(pick(tokens, turn), name))
  console.log()
}

const version = copies(putVersion(undefined, undefined, writeOf(0, 1)).version)
measure('putVersion, new key', () => putVersion(undefined, undefined, writeOf(0, 1)))
const put = putVersion(version[0], undefined, writeOf(1, 5))
const siblings = copies(put.version)
measure('answerContext, beside a sibling', () => answerContext(undefined, put, writeOf(1, 5)))
measure('etagOf, one value', (turn) => etagOf(pick(version, turn), WALL))
measure('etagOf, two siblings', (turn) => etagOf(pick(siblings, turn), WALL))
let stamp: Stamp = stampOfMillis(WALL)
measure('nextStamp', (turn) => {
  stamp = nextStamp(stamp, WALL + (turn & 1))
  return stamp
})

const secrets = { key: Buffer.alloc(16, 3), clusterId: '0123456789abcdef' }
const sessions = createSessionCodec(secrets, createContextCodec(secrets))
let session = emptySession
const rowTokens = Array.from({ length: 10 }, (_none, index) => Buffer.alloc(8, index + 1))
for (const rowToken of rowTokens) session = joinIntoSession(session, rowToken, version[0] as Buffer)
const header = sessions.encode(session)
const request = { rowToken: rowTokens[3] as Buffer, name: Buffer.from('carts\x0042') }
measure('session encode, 10 keys', () => sessions.encode(session))
measure('session decode, 10 keys', () => sessions.decode(header, request))
if (sink < 0) console.log(sink)
