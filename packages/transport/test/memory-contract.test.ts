import { createTestEnv, type Millis, millis, nodeId } from '@shoal/kernel'
import t from 'tap'
import type { Handlers, PeersPair } from '../src/contract/pair.ts'
import { peersContract } from '../src/contract.ts'
import { createMemoryNetwork } from '../src/index.ts'

const A = nodeId('ada')
const B = nodeId('bob')

async function open({ onA = () => {}, onB = () => {} }: Handlers): Promise<PeersPair> {
  const env = createTestEnv({ seed: 1 })
  const network = createMemoryNetwork(env)
  let epoch = 1
  const a = network.join({ self: A, epoch: () => epoch })
  const b = network.join({ self: B, epoch: () => 1 })
  a.onQuestion(onA)
  b.onQuestion(onB)
  await a.start()
  await b.start()
  const step = async (by: Millis) => {
    env.advance(by)
    // Lets what was promised continue before more time passes.
    await new Promise((resolve) => setImmediate(resolve))
  }
  return {
    a,
    b,
    aId: A,
    bId: B,
    setEpoch: (value) => {
      epoch = value
    },
    elapsed: () => env.clock.elapsed(),
    until: async (condition, what) => {
      const begun = env.clock.elapsed()
      while (!condition()) {
        if (env.clock.elapsed() - begun > 10_000) throw new Error(`never: ${what}`)
        await step(millis(1))
      }
    },
    elapse: (time) => step(time),
    sever: () => network.sever(A, B),
    unplug: async () => network.crash(B),
    close: async () => {},
  }
}

t.test('Peers in memory', async (t) => peersContract(t, open))
