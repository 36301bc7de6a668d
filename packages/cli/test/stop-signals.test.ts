import t from 'tap'
import { stopSignals } from '../src/stop-signals.ts'

t.test('one wish to stop may arrive twice; only a later signal insists', async (t) => {
  let insisted = 0
  let now = 1_000
  const others = process.listenerCount('SIGINT')
  const signals = stopSignals(
    () => {
      insisted++
    },
    () => now,
  )
  t.teardown(() => signals.release())
  process.emit('SIGINT')
  await signals.asked
  now += 20
  process.emit('SIGTERM')
  t.equal(insisted, 0, 'passed on by a parent')
  now += 1_000
  process.emit('SIGINT')
  t.equal(insisted, 1)
  t.equal(process.listenerCount('SIGINT'), others, 'a third ends the process by itself')
})
