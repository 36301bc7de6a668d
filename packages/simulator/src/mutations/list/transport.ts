import type { Mutation } from '../mutation.ts'

const exchange = 'transport/dist/src/exchange/exchange.js'
const inFlight = 'transport/dist/src/exchange/in-flight.js'

/** The part of the transport that real and simulated channels share. */
export const inTransport: readonly Mutation[] = [
  {
    name: 'question-sent-twice',
    rule: 'Q9',
    harm: 'Every write that is passed on is done twice, and every replica does all work twice.',
    file: exchange,
    find: 'host.outbox.question(kind, id, epoch, timeout, body);',
    replace:
      'host.outbox.question(kind, id, epoch, timeout, body);\n' +
      '        host.outbox.question(kind, id, epoch, timeout, body);',
  },
  {
    name: 'question-id-used-again',
    rule: 'O2',
    harm: 'A late answer ends a younger question: a write counts a copy that is not there.',
    file: inFlight,
    find: 'this.#next = (id + 1) >>> 0;',
    replace: 'this.#next = id;',
  },
  {
    name: 'lost-called-unreachable',
    rule: 'Q7',
    harm: 'A write that left on a channel that broke is taken for one that never left.',
    file: exchange,
    find: "this.#inFlight.failAll('SHOAL_PEER_LOST');",
    replace: "this.#inFlight.failAll('SHOAL_PEER_UNREACHABLE');",
  },
  {
    name: 'silence-called-busy',
    rule: 'Q7',
    harm: 'A write that got no answer is taken for one that never left.',
    file: inFlight,
    find: "this.fail(id, 'SHOAL_PEER_TIMEOUT');",
    replace: "this.fail(id, 'SHOAL_PEER_BUSY');",
  },
]
