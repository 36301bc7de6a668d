import type { Mutation } from '../mutation.ts'

const checksum = 'storage/dist/src/row/checksum.js'
const cleanMarker = 'storage/dist/src/clean-marker.js'
const storedVersion = 'storage/dist/src/row/stored-version.js'
const verify = 'storage/dist/src/row/verify.js'

export const inStorage: readonly Mutation[] = [
  {
    name: 'restart-keeps-its-actor',
    rule: 'A2',
    harm: 'A node that crashed after a clean stop uses its old actor and counters again.',
    file: cleanMarker,
    find: "batch.delete('meta', MARKER_KEY);",
    replace: '',
  },
  {
    name: 'marker-removal-not-synced',
    rule: 'A2',
    harm: 'A power cut soon after a start brings the marker of the last clean stop back.',
    file: cleanMarker,
    find: '    await store.sync();\n    return content;',
    replace: '    return content;',
  },
  {
    name: 'value-checksum-unchecked',
    rule: 'V11',
    harm: 'Damaged values count as copies, are shown, and spread by repair.',
    file: verify,
    find: '!holdsChecksum(row, at, end - CHECKSUM_BYTES, token)',
    replace: 'end < at',
  },
  {
    name: 'clock-checksum-unchecked',
    rule: 'V11',
    harm: 'A clock with a flipped bit claims events that never were, and drops honest writes.',
    file: verify,
    find: '!holdsChecksum(row, 0, blocksAt - CHECKSUM_BYTES, token)',
    replace: 'blocksAt < 0',
  },
  {
    name: 'checksum-fits-any-key',
    rule: 'V11',
    harm: 'A row that the disk wrote to the wrong place is read as the value of that key.',
    file: checksum,
    find: 'return hash64(bytes.subarray(from, to), token);',
    replace: 'return hash64(bytes.subarray(from, to), 0n);',
  },
  {
    name: 'version-record-unchecked',
    rule: 'V11',
    harm: 'A write is based on a damaged version record.',
    file: storedVersion,
    find: 'return holdsChecksum(stored, 0, bytes, token) ? stored.subarray(0, bytes) : undefined;',
    replace: 'return stored.subarray(0, bytes);',
  },
]
