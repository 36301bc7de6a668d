import { limits, millis } from '@shoal/kernel'
import t from 'tap'
import { ada, bob, Rig } from './support/rig.ts'

t.test('HO10 a sync point is reached when the hints of its moment are delivered', async (t) => {
  const rig = await Rig.open()
  rig.handoff.start()
  rig.target(ada).up = false
  rig.target(bob).up = false
  for (let index = 0; index < 50; index++) rig.owe(index % 2 ? ada : bob, index, 1)
  const job = rig.handoff.sync()
  t.equal(job.total, 50, 'also those owed in this very turn')
  let ended: string | undefined
  job.ended.then((end) => {
    ended = end
  })
  rig.setUp(ada, true)
  await rig.advance(1_000)
  t.match(job.status(), { state: 'running', progress: 0.5, etaMs: 1_000 })
  t.equal(ended, undefined)
  // Owed later: not waited for.
  rig.target(ada).up = false
  for (let index = 100; index < 110; index++) rig.owe(ada, index, 1)
  rig.setUp(bob, true)
  await rig.advance(1_000)
  t.equal(ended, 'done')
  t.match(job.status(), { state: 'done', progress: 1, etaMs: 0 })
  t.equal(rig.handoff.figures().total, 10)
})

t.test('HO10 a sync point with nothing to wait for is reached at once', async (t) => {
  const rig = await Rig.open()
  const job = rig.handoff.sync()
  t.equal(await job.ended, 'done')
  t.match(job.status(), { state: 'done', progress: 1, detail: '0 of 0 hints delivered' })
})

t.test('HO10 a sync point fails when hints were given up', async (t) => {
  const rig = await Rig.open({ settings: { ageMax: millis(10_000) } })
  rig.handoff.start()
  rig.target(ada).up = false
  rig.owe(ada, 'k', 1)
  const job = rig.handoff.sync()
  await rig.advance(12_000, 100)
  t.equal(await job.ended, 'failed')
  t.match(job.status(), { state: 'failed', detail: /1 left to anti-entropy/ })
})

t.test('HO10 those who wait are bounded, and may stop waiting', async (t) => {
  const rig = await Rig.open()
  rig.target(ada).up = false
  rig.owe(ada, 'k', 1)
  const jobs = Array.from({ length: limits.hintSyncsMax }, () => rig.handoff.sync())
  t.throws(() => rig.handoff.sync(), { code: 'SHOAL_OVERLOADED' })
  jobs[0]?.cancel()
  t.ok(rig.handoff.sync())
})
