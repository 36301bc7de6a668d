import type { Mutation } from '../mutation.ts'

const clock = 'causality/dist/src/clock.js'
const clockJoin = 'causality/dist/src/clock-join.js'
const merge = 'causality/dist/src/merge.js'
const put = 'causality/dist/src/put.js'
const stamp = 'causality/dist/src/stamp.js'
const version = 'causality/dist/src/version.js'

export const inCausality: readonly Mutation[] = [
  {
    name: 'merge-keeps-only-common',
    rule: 'V2',
    harm: 'Values written on both sides of a partition vanish when the copies meet.',
    file: merge,
    find: 'side === 0 || !clockContains(side < 0 ? incoming : local, 0, source, header)',
    replace: 'side === 0',
  },
  {
    name: 'merge-keeps-overwritten',
    rule: 'V2',
    harm: 'A value that was overwritten elsewhere comes back as a sibling.',
    file: merge,
    find: 'side === 0 || !clockContains(side < 0 ? incoming : local, 0, source, header)',
    replace: 'side <= 0 || !clockContains(local, 0, source, header)',
  },
  {
    name: 'merge-truncates-siblings',
    rule: 'V8',
    harm: 'The fourth of four concurrent values is silently dropped by a merge.',
    file: merge,
    find: 'const end = writeLive(out, countAt + 2, sources, local, incoming);',
    replace:
      'const end = Math.min(countAt + 2 + 3 * HEADER_BYTES, ' +
      'writeLive(out, countAt + 2, sources, local, incoming));',
  },
  {
    name: 'merge-takes-the-concurrent',
    rule: 'V2',
    harm: 'The copy that arrives last replaces a concurrent one: last write wins, by accident.',
    file: merge,
    find: "case 'concurrent':\n            return 'mix';",
    replace: "case 'concurrent':\n            return 'take';",
  },
  {
    name: 'join-takes-the-smaller-base',
    rule: 'V2',
    harm: 'A merged clock forgets events, so what they overwrote is taken for new.',
    file: clockJoin,
    find: 'compareBytes(a, left + 8, b, right + 8, 8) >= 0)',
    replace: 'compareBytes(a, left + 8, b, right + 8, 8) <= 0)',
  },
  {
    name: 'gap-closed-too-early',
    rule: 'V2',
    harm: 'A client that wrote beside a value it never saw deletes that value with its next write.',
    file: clockJoin,
    find: 'if (counter > covered + 1)',
    replace: 'if (counter > covered + 2)',
  },
  {
    name: 'clock-excludes-its-last-event',
    rule: 'V2',
    harm: 'A write does not replace the value it was based on.',
    file: clock,
    find: 'if (base >= 0 && compareBytes(clock, base + 8, dot, dotAt + 8, 8) >= 0)',
    replace: 'if (base >= 0 && compareBytes(clock, base + 8, dot, dotAt + 8, 8) > 0)',
  },
  {
    name: 'dot-answered-as-base',
    rule: 'V5',
    harm: 'A write answers a context that claims older events of its actor, shown to nobody.',
    file: clockJoin,
    find: 'singleClock(actor, counter, counter === 1)',
    replace: 'singleClock(actor, counter, true)',
  },
  {
    name: 'write-answers-merged-clock',
    rule: 'V5',
    harm: 'A client that only writes deletes siblings it was never shown.',
    file: put,
    find: 'return addDot(context ?? emptyClock, write.actor, write.counter);',
    replace: 'return versionClock(put.version);',
  },
  {
    name: 'context-not-joined',
    rule: 'V3',
    harm: 'A value that a write replaced stands beside it once it arrives from a slower replica.',
    file: put,
    find: "return order === 'after' ? context : joinClocks(local, context);",
    replace: 'return local;',
  },
  {
    name: 'write-drops-what-it-did-not-see',
    rule: 'V3',
    harm: 'A write with an old context deletes the values written since.',
    file: put,
    find: 'kept.push(index);',
    replace: '{ }',
  },
  {
    name: 'expired-value-shown',
    rule: 'D2',
    harm: 'Values are read long after their time to live is over.',
    file: version,
    find: 'return expiry !== 0 && expiry <= nowMs;',
    replace: 'return false;',
  },
  {
    name: 'tombstone-shown-as-value',
    rule: 'D1',
    harm: 'A deleted key reads as an empty value.',
    file: version,
    find: 'return !isTombstone(bytes, headerAt) && !isExpired(bytes, headerAt, nowMs);',
    replace: 'return !isExpired(bytes, headerAt, nowMs);',
  },
  {
    name: 'stamp-goes-back',
    rule: 'V12',
    harm: 'After a clock is set back, a bucket that shows the latest value shows an old one.',
    file: stamp,
    find: 'return compareStamps(wall, last) > 0 ? wall : successor(last);',
    replace: 'return wall;',
  },
  {
    name: 'stamp-not-clamped',
    rule: 'V12',
    harm: 'One node with a wrong clock pushes the stamps of all others into the future.',
    file: stamp,
    find: 'const heard = clamped ? stampOfMillis(wallMs + limits.clockAheadMax) : seen;',
    replace: 'const heard = seen;',
  },
]
