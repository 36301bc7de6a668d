import type { Mutation } from '../mutation.ts'

const belief = 'membership/dist/src/core/belief.js'
const changes = 'membership/dist/src/core/changes.js'
const probing = 'membership/dist/src/core/probing.js'
const state = 'membership/dist/src/core/state.js'
const swim = 'membership/dist/src/core/swim.js'
const forwarding = 'coordinator/dist/src/forwarding.js'
const reading = 'coordinator/dist/src/reading.js'

/** Who is alive, and whom to turn to first. */
export const inMembership: readonly Mutation[] = [
  {
    name: 'silence-is-nothing',
    rule: 'G5',
    harm: 'Requests go first to a node that does not answer, until all have declared it dead.',
    file: state,
    find: "return peer.channelUp && !peer.silent ? 'alive' : 'suspect';",
    replace: "return 'alive';",
  },
  {
    name: 'fallen-channel-unnoticed',
    rule: 'G5',
    harm: 'A node that was killed is turned to first until a probe of it fails.',
    file: changes,
    find: 'if (peer === undefined || peer.channelUp === up)',
    replace: 'if (peer === undefined || !up)',
  },
  {
    name: 'never-suspects',
    rule: 'G3',
    harm: 'What this node finds silent it tells nobody; nobody is ever declared dead.',
    file: probing,
    find: "believe(turn, { ...updateOfPeer(target), state: 'suspect', witnesses }, 'gossip');",
    replace: '',
  },
  {
    name: 'suspicion-never-ends',
    rule: 'G3',
    harm: 'A node that is gone is suspected for ever.',
    file: swim,
    find: "believe(turn, { ...updateOfPeer(peer), state: 'dead', witnesses: [] }, 'gossip');",
    replace: '',
  },
  {
    name: 'never-contradicts',
    rule: 'G2',
    harm: 'A node that is well does not overrule what is said of it, and stays suspected.',
    file: belief,
    find: 'state.incarnation = update.incarnation + 1;',
    replace: '',
  },
  {
    name: 'suspects-not-read',
    rule: 'Q7',
    harm: 'A false suspicion refuses reads that could be answered.',
    file: reading,
    find: 'const order = indices(reachable);',
    replace: 'const order = indices(reachable & ~doubtedOf(desk, place, reachable));',
  },
  {
    name: 'suspects-not-passed-to',
    rule: 'Q7',
    harm: 'A false suspicion refuses writes that a replica would take.',
    file: forwarding,
    find: '...bySpeed(desk, place, doubted),',
    replace: '',
  },
]
