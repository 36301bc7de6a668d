import { millis } from '@shoal/kernel'
import t from 'tap'
import type { Handlers, PeersPair } from '../src/contract/pair.ts'
import { peersContract } from '../src/contract.ts'
import { createNode, env, openPlace, until } from './cluster.ts'

async function open({ onA = () => {}, onB = () => {} }: Handlers): Promise<PeersPair> {
  const places = [await openPlace('ada'), await openPlace('bob')]
  const [placeA, placeB] = places as [(typeof places)[0], (typeof places)[0]]
  let epoch = 1
  const ring = { epoch: () => epoch, summary: Buffer.from('ring'), compare: () => [] }
  const a = createNode(placeA, places, { handler: onA, ring })
  const b = createNode(placeB, places, { handler: onB })
  await Promise.all([a.peers.start(), b.peers.start()])
  return {
    a: a.peers,
    b: b.peers,
    aId: placeA.id,
    bId: placeB.id,
    setEpoch: (value) => {
      epoch = value
    },
    elapsed: () => env.clock.elapsed(),
    until,
    elapse: (time) => new Promise((resolve) => env.clock.after(millis(time), resolve)),
    // Whoever dialled: the channel is one of the sockets of one of the servers.
    sever: () => {
      for (const { sockets } of places) for (const socket of sockets) socket.destroy()
    },
    unplug: () => b.close(),
    close: async () => {
      await Promise.all([a.close(), b.close()])
    },
  }
}

t.test('Peers over the network', async (t) => peersContract(t, open))
