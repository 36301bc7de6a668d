import { InvariantViolation, millis, nodeId, ShoalError } from '@shoal/kernel'
import t from 'tap'
import {
  answerKinds,
  consistencyLevels,
  encodeExchange,
  encodeExchangeAnswer,
  encodeForwardedAnswer,
  encodeForwardedWrite,
  encodeHints,
  encodeList,
  encodeListed,
  encodeProof,
  encodeProofAnswer,
  encodeRead,
  encodeRefusal,
  encodeRepairs,
  encodeSegmentKeys,
  encodeSegmentKeysAnswer,
  encodeStandIn,
  encodeStatus,
  encodeTrace,
  mergeFlags,
  questionKinds,
  readFlags,
} from '../src/index.ts'
import { membershipGoldens } from './membership-goldens.ts'
import { encodeMerge } from './messages.ts'

const manyRoots = Array.from({ length: 32 }, (_none, index) => Buffer.of(index, 7))

/**
 * WM5: one message of each kind, byte for byte. Who breaks one of these breaks a cluster in which
 * old and new nodes talk to each other: give the new meaning a new kind, or a new protocol version.
 * Written here are hexadecimal digits, and ASCII between quotes.
 */
const goldens: Readonly<Record<string, readonly [Buffer, string]>> = {
  merge: [
    encodeMerge({ flags: mergeFlags.heal, rowKey: Buffer.from('key'), row: Buffer.from('row') }),
    `02 0003 'key' 'row'`,
  ],
  'merge for a stand-in': [
    encodeStandIn(
      0b101,
      encodeMerge({ flags: mergeFlags.heal, rowKey: Buffer.from('key'), row: Buffer.from('row') }),
    ),
    `05 00 0003 'key' 'row'`,
  ],
  read: [encodeRead(readFlags.durable, undefined, Buffer.from('key')), `02 'key'`],
  'read with a digest': [
    encodeRead(0, Buffer.from('87654321'), Buffer.from('key')),
    `01 '87654321' 'key'`,
  ],
  'forwarded put': [
    encodeForwardedWrite({
      operation: 'put',
      bucket: 'b',
      key: 'ü',
      consistency: { level: 'quorum', r: 1, w: 3, durable: 0, strict: true },
      session: 's',
      timeout: millis(2_000),
      explain: true,
      context: 'c1.A',
      idempotencyKey: 'i',
      precondition: { ifMatch: ['"x"'], ifNoneMatch: ['*', '"y"'] },
      body: Buffer.from([0, 255]),
      contentType: 'a/b',
      contentEncoding: 'br',
      ttl: 60,
    }),
    `
      00 00000001 'b' 00000002 c3bc
      01 01 01 01 01 03 01 00 01
      00000001 's' 409f400000000000 01 00000004 'c1.A' 00000001 'i'
      01 00000001 00000003 '"x"'
      01 00000002 00000001 '*' 00000003 '"y"'
      00000003 'a/b' 00000002 'br' 404e000000000000 00000002 00ff
    `,
  ],
  'forwarded delete': [
    encodeForwardedWrite({
      operation: 'delete',
      bucket: 'b',
      key: 'k',
      session: '',
      timeout: millis(1),
      explain: false,
      context: '',
      idempotencyKey: '',
      body: Buffer.alloc(0),
      contentType: '',
      contentEncoding: '',
      ttl: 0,
    }),
    `
      01 00000001 'b' 00000001 'k'
      00 00000000 3ff0000000000000 00 00000000 00000000 00 00
      00000000 00000000 0000000000000000 00000000
    `,
  ],
  'forwarded answer': [
    encodeForwardedAnswer({
      context: 'c1.A',
      session: 's',
      consistency: { level: 'all', n: 3, r: 3, w: 3, durable: 2, strict: false },
      receipt: {
        ...{
          n: 3,
          need: 3,
          ack: 2,
          primaries: 2,
          fallbacks: 0,
          durable: 1,
          hinted: 0,
          repaired: 4,
        },
        epoch: 258,
        node: nodeId('n1'),
        precondition: 'checked',
      },
      traceId: 't',
      etag: '"e"',
      modified: millis(1_700_000_000_000),
      siblings: 2,
    }),
    `
      01 00000004 'c1.A' 00000001 's'
      02 03 03 03 02 00
      03 03 02 02 00 01 01 00 04 00000102 00000002 'n1' 01 00
      01 00000001 't' 00000003 '"e"' 4278bcfe56800000 00000002
    `,
  ],
  'forwarded problem': [
    encodeForwardedAnswer(
      new ShoalError('SHOAL_INTERNAL', 'm', {
        wanted: 2,
        got: 'g',
        outcome: 'not-applied',
        retryAfterMs: 5,
        replicas: [{ node: 'n2', role: 'fallback', state: 's', ms: 1.5 }],
        errors: [
          { field: 'f', offset: 7, message: 'e' },
          { field: 'g', message: '' },
        ],
        extra: { context: 'c' },
        cause: new InvariantViolation('stays here'),
      }),
    ),
    `
      00 0000000e 'SHOAL_INTERNAL' 00000001 'm'
      01 01 4000000000000000 01 02 00000001 'g'
      01 00 01 4014000000000000
      00000001 00000002 'n2' 01 00000001 's' 3ff8000000000000
      00000002 00000001 'f' 01 401c000000000000 00000001 'e' 00000001 'g' 00 00000000
      00000001 00000007 'context' 00000001 'c'
    `,
  ],
  list: [
    encodeList({
      bucket: 'b',
      prefix: 'p',
      after: 'a',
      limit: 101,
      partitions: Buffer.from([128]),
    }),
    `00000001 'b' 00000001 'p' 00000001 'a' 00000065 00000001 80`,
  ],
  listed: [
    encodeListed({ entries: [{ key: 'k', version: Buffer.from('v') }], finished: true }),
    `01 00000001 00000001 'k' 00000001 'v'`,
  ],
  status: [
    encodeStatus({
      version: '0.1.0',
      uptimeMs: 1,
      load: 0.5,
      draining: true,
      epoch: 3,
      diskBytes: 4,
      freeBytes: -1,
      memoryBytes: 6,
      problems: ['p'],
    }),
    `
      00000005 '0.1.0' 3ff0000000000000 3fe0000000000000 01 00000003
      4010000000000000 bff0000000000000 4018000000000000 00000001 00000001 'p'
    `,
  ],
  trace: [
    encodeTrace({
      id: 'i',
      node: nodeId('n1'),
      operation: 'read',
      bucket: 'b',
      key: 'k',
      started: millis(9),
      events: [{ at: 1, node: 'n2', event: 'e', detail: 'd' }],
      replicas: [{ node: 'n2', role: 'primary', state: 's', ms: 2 }],
    }),
    `
      00000001 'i' 00000002 'n1' 00000004 'read' 00000001 'b' 00000001 'k' 4022000000000000
      00000001 3ff0000000000000 00000002 'n2' 00000001 'e' 00000001 'd'
      00000001 00000002 'n2' 00 00000001 's' 4000000000000000
    `,
  ],
  'root of an exchange': [
    encodeExchange({ level: 'root', partition: 258, root: Buffer.from('hash') }),
    `0102 00 04 'hash'`,
  ],
  'question for leaves': [
    encodeExchange({ level: 'leaves', partition: 3, groups: 0x8000_0001 }),
    `0003 01 80000001`,
  ],
  'same root': [encodeExchangeAnswer({ level: 'same' }), '00'],
  'answer of 32 roots': [
    encodeExchangeAnswer({
      level: 'children',
      children: manyRoots,
    }),
    `01 02 ${manyRoots.map((root) => root.toString('hex')).join(' ')}`,
  ],
  'answer of leaves': [
    encodeExchangeAnswer({ level: 'leaves', groups: 4, digests: [Buffer.alloc(256, 9)] }),
    `02 00000004 ${'09'.repeat(256)}`,
  ],
  'question for keys': [
    encodeSegmentKeys({ partition: 1, segments: [2, 1_023], after: Buffer.from('key') }),
    `0001 00000002 0002 03ff 00000003 'key'`,
  ],
  'list of keys': [
    encodeSegmentKeysAnswer({
      entries: [
        { rowKey: Buffer.from('key'), digest: Buffer.from('87654321'), damaged: false },
        { rowKey: Buffer.from('kez'), digest: Buffer.alloc(8), damaged: true },
      ],
      finished: false,
      unreadable: [5],
    }),
    `00 00000001 0005 00000002 00 0003 'key' '87654321' 01 0003 'kez' 0000000000000000`,
  ],
  'question for a proof': [encodeProof(Buffer.from('key')), `'key'`],
  proof: [
    encodeProofAnswer({
      digest: Buffer.from('87654321'),
      others: { rows: 2, digest: Buffer.from('12345678') },
      path: [
        { left: true, hash: Buffer.from('h') },
        { left: false, hash: Buffer.from('ij') },
      ],
      root: Buffer.from('root'),
    }),
    `
      01 '87654321' 00000002 '12345678'
      00000002 01 00000001 'h' 00 00000002 'ij' 00000004 'root'
    `,
  ],
  hints: [
    encodeHints({
      total: 2,
      bytes: 1,
      oldestMs: 0,
      targets: [{ node: nodeId('n3'), count: 2, bytes: 1, oldestMs: 0, dirtyPartitions: 4 }],
    }),
    `
      4000000000000000 3ff0000000000000 0000000000000000 00000001
      00000002 'n3' 4000000000000000 3ff0000000000000 0000000000000000 4010000000000000
    `,
  ],
  repairs: [
    encodeRepairs({
      oldestUnverifiedMs: 2,
      divergentSegments: 1,
      unverified: 0,
      hintBytes: 4,
      oldestHintMs: 1,
      bytesPerSecond: 2,
      paused: false,
      quiet: true,
      waitingBytes: 1,
      etaMs: 4,
      lostPartitions: 2,
      unhealed: 1,
      tombstones: 0,
    }),
    `
      4000000000000000 3ff0000000000000 0000000000000000 4010000000000000 3ff0000000000000
      4000000000000000 00 01 3ff0000000000000 01 4010000000000000
      4000000000000000 3ff0000000000000 0000000000000000
    `,
  ],
  refusal: [encodeRefusal('SHOAL_NOT_REPLICA'), `'SHOAL_NOT_REPLICA'`],
  ...membershipGoldens,
}

const toHex = (golden: string): string =>
  golden
    .replaceAll(/'([^']*)'/g, (_, ascii: string) => Buffer.from(ascii, 'latin1').toString('hex'))
    .replaceAll(/\s/g, '')

for (const [name, [bytes, golden]] of Object.entries(goldens)) {
  t.test(`WM5: a ${name} has these bytes for ever`, async (t) => {
    t.equal(bytes.toString('hex'), toHex(golden))
  })
}

t.test('WM5: numbers on the wire are for ever', async (t) => {
  t.match(questionKinds, { merge: 1, read: 2, write: 3, list: 4, status: 5, trace: 6 })
  t.match(questionKinds, { ping: 7, pingRequest: 8, gossipSync: 9, ringFetch: 10 })
  t.match(questionKinds, { exchange: 11, segmentKeys: 12, proof: 13, hints: 14 })
  t.match(questionKinds, { mergeAsStandIn: 15, writeAsStandIn: 16, repairs: 17 })
  t.match(answerKinds, { exchange: 16, segmentKeys: 17, proof: 18, hints: 19, repairs: 20 })
  t.match(answerKinds, {
    mergedDurable: 1,
    mergedWritten: 2,
    row: 3,
    same: 4,
    absent: 5,
    version: 6,
    written: 7,
    listed: 8,
    status: 9,
    trace: 10,
    refused: 11,
    pong: 12,
    gossip: 13,
    ring: 14,
  })
  for (const kinds of [questionKinds, answerKinds]) {
    t.equal(new Set(Object.values(kinds)).size, Object.keys(kinds).length, 'each means one thing')
  }
  t.same(mergeFlags, { acknowledgeWritten: 1, heal: 2, writtenOnly: 4 })
  t.same(readFlags, { digest: 1, durable: 2, versionOnly: 4, counted: 8 })
  t.same(consistencyLevels, ['one', 'quorum', 'all'], 'levels travel as their index')
})
