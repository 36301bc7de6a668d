import { createHash, randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { FrameWriter, supportedVersions } from '@shoal/wire'
import type { Refusal } from '../src/core/handshake.ts'
import { upgradeProtocol } from '../src/index.ts'
import { Opening } from '../src/socket/opening.ts'
import { env, type Place } from './cluster.ts'

/** A peer that speaks the handshake correctly and may then send whatever it likes. */
export interface RawPeer {
  readonly socket: Socket
  /** What came after the handshake. */
  readonly received: Buffer[]
  readonly refusal: Refusal | undefined
  send(write: (writer: FrameWriter) => void): void
}

/** Reaches the HTTP server of a node and says `upgrade`. */
export async function upgradeSocket(to: Place, protocol: string = upgradeProtocol) {
  const socket = connect(Number(new URL(to.url).port), '127.0.0.1')
  socket.on('error', () => {})
  await new Promise<void>((resolve) => socket.once('connect', () => resolve()))
  socket.write(`GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\n`)
  const answer = await new Promise<Buffer>((resolve) => socket.once('data', resolve))
  socket.pause()
  return { socket, answer: answer.toString() }
}

export async function openRawPeer(
  to: Place,
  setting: { node: string; secret?: string; uptime?: number },
): Promise<RawPeer> {
  const { socket } = await upgradeSocket(to)
  const { node, secret = 'the secret of the cluster', uptime = 0 } = setting
  const summary = Buffer.from('ring')
  const digest = createHash('sha256').update(summary).digest()
  const nonce = randomBytes(32)
  let refusal: Refusal | undefined
  await new Promise<void>((resolve) => {
    const opening = new Opening({
      id: 1,
      socket,
      clock: env.clock,
      context: {
        role: 'dialler',
        self: node,
        expected: to.id,
        secret: Buffer.from(secret),
        versions: supportedVersions,
        open: { versions: supportedVersions, node, nonce, uptime },
        hello: {
          cluster: 'cluster',
          run: randomBytes(16),
          ring: { epoch: 1, digest, summary },
          features: [],
        },
        isMember: () => true,
        compareRing: () => [],
      },
      events: {
        proposed: () => opening.permit(''),
        agreed: () => resolve(),
        lost: () => resolve(),
        refused: (_opening, why) => {
          refusal = why
          resolve()
        },
      },
    })
    opening.begin(Buffer.alloc(0))
  })
  socket.removeAllListeners('data')
  const received: Buffer[] = []
  socket.on('data', (chunk) => received.push(chunk))
  return {
    socket,
    received,
    refusal,
    send: (write) => {
      const writer = new FrameWriter()
      write(writer)
      for (const piece of writer.pieces()) socket.write(piece)
    },
  }
}
