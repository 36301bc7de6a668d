import { randomBytes } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { createSystemEnv, type Millis, millis, type NodeId, type ShoalError } from '@shoal/kernel'
import {
  createPeers,
  type IncomingQuestion,
  type NetworkPeers,
  type PeersOptions,
  type TransportEvent,
} from '../src/index.ts'

export const env = createSystemEnv((reason) => {
  throw reason
})

/** Looks every two milliseconds whether the condition holds. */
export function until(condition: () => boolean, what: string, withinMs = 10_000): Promise<void> {
  const begun = env.clock.elapsed()
  return new Promise((resolve, reject) => {
    const look = (): void => {
      if (condition()) resolve()
      else if (env.clock.elapsed() - begun > withinMs) reject(new Error(`never: ${what}`))
      else env.clock.after(millis(2), look)
    }
    look()
  })
}

/** An address to be had for a node, before it runs. */
export interface Place {
  readonly id: NodeId
  readonly url: string
  readonly server: Server
  readonly sockets: Set<Socket>
  close(): Promise<void>
}

export async function openPlace(id: string, port = 0): Promise<Place> {
  const server = createServer()
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const close = () =>
    new Promise<void>((resolve) => {
      for (const socket of sockets) socket.destroy()
      if (server.listening) server.close(() => resolve())
      else resolve()
    })
  return { id: id as NodeId, url, server, sockets, close }
}

export interface TestNode {
  readonly place: Place
  readonly peers: NetworkPeers
  readonly events: TransportEvent[]
  readonly fatal: ShoalError[]
  close(): Promise<void>
}

export type Setting = Partial<PeersOptions> & {
  readonly handler?: (question: IncomingQuestion) => void
}

/** One node on its place. Not yet started. */
export function createNode(
  place: Place,
  places: readonly Place[],
  setting: Setting = {},
): TestNode {
  const events: TransportEvent[] = []
  const fatal: ShoalError[] = []
  const { handler = (question) => question.answer(1, question.body), ...options } = setting
  const peers = createPeers({
    env,
    self: place.id,
    runId: randomBytes(16),
    secret: 'the secret of the cluster',
    clusterId: 'cluster',
    members: places.map(({ id, url }) => ({ id, url })),
    ring: { epoch: () => 1, summary: Buffer.from('ring'), compare: () => [] },
    onFatal: (error) => fatal.push(error),
    onEvent: (event) => events.push(event),
    ...options,
  })
  peers.onQuestion(handler)
  place.server.on('upgrade', peers.acceptUpgrade)
  const close = async () => {
    await peers.stop(env.clock.elapsed() as Millis)
    await place.close()
  }
  return { place, peers, events, fatal, close }
}
