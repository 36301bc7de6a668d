import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { nodeId, seconds } from '@shoal/kernel'
import t from 'tap'
import { Recorder } from '../src/contract/pair.ts'
import { createNode, env, openPlace, until } from './cluster.ts'

t.test('TC3 a peer whose process is stopped is down within four seconds', async (t) => {
  const place = await openPlace('n1')
  const script = fileURLToPath(new URL('./peer-process.js', import.meta.url))
  const child = fork(script, ['n2', 'n1', place.url])
  const url = await new Promise<string>((resolve) =>
    child.once('message', (message) => resolve(`${message}`)),
  )
  const node = createNode(place, [place, { ...place, id: nodeId('n2'), url }])
  t.teardown(async () => {
    child.kill('SIGKILL')
    await node.close()
  })
  const isUp = () => node.peers.isUp(nodeId('n2'))
  await node.peers.start()
  await until(isUp, 'both are up')
  const sink = new Recorder()
  child.kill('SIGSTOP')
  const stoppedAt = env.clock.elapsed()
  for (let tag = 0; tag < 10; tag++) {
    sink.ask(node.peers, nodeId('n2'), { tag, timeout: seconds(30) })
  }
  await until(() => !isUp() && sink.endings.length === 10, 'it is noticed')
  const took = env.clock.elapsed() - stoppedAt
  t.ok(took < 4_200, `${took} ms`)
  t.ok(sink.codes.every((code) => code === 'SHOAL_PEER_LOST'))
  child.kill('SIGCONT')
  const continuedAt = env.clock.elapsed()
  await until(isUp, 'it is back')
  t.comment(`back after ${Math.round(env.clock.elapsed() - continuedAt)} ms`)
  sink.ask(node.peers, nodeId('n2'), { tag: 100, body: Buffer.from('hello again') })
  await until(() => sink.endings.length === 11, 'it answers')
  t.same(sink.endings.at(-1)?.body, Buffer.from('hello again'))
  t.same(sink.repeated, 0)
})

t.test('a peer whose process is killed is down at once', async (t) => {
  const place = await openPlace('n1')
  const script = fileURLToPath(new URL('./peer-process.js', import.meta.url))
  const child = fork(script, ['n2', 'n1', place.url])
  const url = await new Promise<string>((resolve) =>
    child.once('message', (message) => resolve(`${message}`)),
  )
  const node = createNode(place, [place, { ...place, id: nodeId('n2'), url }])
  t.teardown(() => node.close())
  await node.peers.start()
  await until(() => node.peers.isUp(nodeId('n2')), 'both are up')
  const killedAt = env.clock.elapsed()
  child.kill('SIGKILL')
  await until(() => !node.peers.isUp(nodeId('n2')), 'it is noticed')
  const took = env.clock.elapsed() - killedAt
  t.ok(took < 1_000, `${took} ms`)
})
