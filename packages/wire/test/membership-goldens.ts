import { nodeId } from '@shoal/kernel'
import {
  encodeGossip,
  encodeGossipSync,
  encodePing,
  encodePingRequest,
  encodePong,
  encodeRingFetch,
} from '../src/index.ts'

const header = {
  incarnation: 2 ** 40 + 5,
  run: 0xcafe,
  ring: { epoch: 3, digest: '0123456789abcdef' },
}
const headerBytes = '0000010000000005 0000cafe 00000003 0123456789abcdef'

const alive = {
  node: nodeId('a'),
  state: 'alive',
  incarnation: 7,
  run: 9,
  witnesses: [],
} as const
const aliveBytes = `00000001 'a' 00 0000000000000007 00000009 00000000`

const suspect = {
  node: nodeId('b'),
  state: 'suspect',
  incarnation: 0,
  run: 0,
  witnesses: [nodeId('c'), nodeId('d')],
} as const
const suspectBytes = `
  00000001 'b' 01 0000000000000000 00000000 00000002 00000001 'c' 00000001 'd'
`

/** As in the table of goldens they belong to: bytes, and the same in hexadecimal and ASCII. */
export const membershipGoldens: Readonly<Record<string, readonly [Buffer, string]>> = {
  ping: [
    encodePing({ header, updates: [alive, suspect] }),
    `${headerBytes} 00000002 ${aliveBytes} ${suspectBytes}`,
  ],
  'ping request': [
    encodePingRequest({ header, target: nodeId('t'), timeoutMs: 500, updates: [] }),
    `${headerBytes} 00000001 't' 000001f4 00000000`,
  ],
  pong: [
    encodePong({ header, reached: true, updates: [{ ...alive, state: 'left' }] }),
    `${headerBytes} 01 00000001 ${aliveBytes.replace(`'a' 00`, `'a' 03`)}`,
  ],
  'gossip of news': [
    encodeGossipSync({ kind: 'news', header, updates: [{ ...alive, state: 'dead' }] }),
    `${headerBytes} 00 00000001 ${aliveBytes.replace(`'a' 00`, `'a' 02`)}`,
  ],
  'gossip of what was missing': [
    encodeGossipSync({ kind: 'missing', header, updates: [alive] }),
    `${headerBytes} 02 00000001 ${aliveBytes}`,
  ],
  'gossip to compare': [
    encodeGossipSync({ kind: 'compare', header, digest: 'ffffffffffffff00' }),
    `${headerBytes} 01 ffffffffffffff00`,
  ],
  'gossip answer': [
    encodeGossip({ kind: 'part', header, updates: [alive] }),
    `${headerBytes} 02 00000001 ${aliveBytes}`,
  ],
  'ring fetch': [encodeRingFetch({ header }), headerBytes],
}
