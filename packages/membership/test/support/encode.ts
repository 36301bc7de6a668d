import assert from 'node:assert/strict'
import {
  decodeGossip,
  decodeGossipSync,
  decodePing,
  decodePingRequest,
  decodePong,
  encodeGossip,
  encodeGossipSync,
  encodePing,
  encodePingRequest,
  encodePong,
} from '@shoal/wire'
import type { Message } from '../../bench/world.ts'

/** The bytes of a message as the driver writes it. Fails where it would not arrive as it is. */
export function bytesOf({ event }: Message): number {
  const { header, updates } = event
  const same = <T>(message: T, encode: (message: T) => Buffer, decode: (body: Buffer) => T) => {
    const body = encode(message)
    assert.deepEqual(decode(body), message)
    return body.length
  }
  switch (event.kind) {
    case 'pinged':
      return same({ header, updates }, encodePing, decodePing)
    case 'relayAsked': {
      const timeoutMs = Math.floor(event.timeout)
      const { target } = event
      return same({ header, target, timeoutMs, updates }, encodePingRequest, decodePingRequest)
    }
    case 'ponged':
      return same({ header, reached: event.reached, updates }, encodePong, decodePong)
    case 'gossiped': {
      const kind = event.missing ? 'missing' : 'news'
      return same({ kind, header, updates }, encodeGossipSync, decodeGossipSync)
    }
    case 'compareAsked': {
      const { digest } = event
      return same({ kind: 'compare', header, digest }, encodeGossipSync, decodeGossipSync)
    }
    case 'noted':
      return same({ kind: 'noted', header, updates }, encodeGossip, decodeGossip)
    case 'compared':
      return same(
        { kind: event.same ? 'same' : 'part', header, updates },
        encodeGossip,
        decodeGossip,
      )
    default:
      return 0
  }
}
