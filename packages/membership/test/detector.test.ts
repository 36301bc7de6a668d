import t from 'tap'
import { measureCalm, measureCrashes, measureSpread, timesOf } from '../bench/trials.ts'
import { seed } from './support/rig.ts'

t.comment(`seed ${seed}`)

/**
 * The bars of the detector, in small; the command `detector` measures them at length, and with a
 * thousand nodes.
 */
const lossy = { seed, loss: 0.01 }

t.test('G13: a crash is suspected within 6 s and declared by all in time', async (t) => {
  for (const { nodes, rounds, within } of [
    { nodes: 3, rounds: 40, within: 8_000 },
    { nodes: 10, rounds: 40, within: 8_000 },
    { nodes: 100, rounds: 6, within: 12_000 },
  ]) {
    const times = measureCrashes({ ...lossy, nodes }, rounds, false)
    const suspected = timesOf(times.map((each) => each.suspected))
    const declared = timesOf(times.map((each) => each.declared))
    const back = timesOf(times.map((each) => each.back))
    t.comment(`${nodes} nodes: ${JSON.stringify({ suspected, declared, back })}`)
    t.ok(suspected.max <= 6_000, `${nodes} nodes: first suspicion`)
    t.ok(declared.median <= within, `${nodes} nodes: declared by all, typically`)
    t.ok(back.max <= 10_000, `${nodes} nodes: alive again for all`)
  }
})

t.test('G5: a killed process is avoided by all at once', async (t) => {
  const times = measureCrashes({ ...lossy, nodes: 10 }, 20, true)
  t.ok(timesOf(times.map(({ avoided }) => avoided)).max <= 50)
  t.ok(timesOf(times.map(({ declared }) => declared)).max <= 6_000)
})

t.test('G13: all are informed within 2 s', async (t) => {
  const spread = timesOf(measureSpread({ ...lossy, nodes: 200 }, 10))
  t.comment(JSON.stringify(spread))
  t.ok(spread.max <= 2_000)
})

t.test('G13: nobody is declared dead for a lost message or a pause of 2 s', async (t) => {
  for (const { nodes, hours } of [
    { nodes: 3, hours: 4 },
    { nodes: 10, hours: 1 },
  ]) {
    const calm = measureCalm({ ...lossy, nodes, hours, stall: 2_000, stallEvery: 60_000 })
    t.comment(`${nodes} nodes: ${JSON.stringify(calm)}`)
    t.ok(calm.stalls > 50 * nodes * hours)
    t.equal(calm.falseDeaths, 0)
    t.equal(calm.stillWrong, 0)
    t.ok(calm.suspicions > 0, 'though there was reason to suspect')
  }
})
