import t from 'tap'
import { describeFailure } from '../src/command/failure.ts'
import { readSettings } from '../src/command/settings.ts'
import { Summary } from '../src/command/summary.ts'
import type { SimulationResult } from '../src/result.ts'

const result: SimulationResult = {
  seed: 7,
  failures: [],
  hash: 'abc',
  events: 1_000,
  virtualMillis: 3_600_000,
  operations: { put: { ok: 5, lost: 1 } },
  faults: { crash: 3 },
  injected: {},
  labels: ['a read showed siblings'],
  checks: { 'writes answered': 5 },
}

t.test('the command is read, and what it does not understand is refused in words', async (t) => {
  t.match(readSettings([]), { seeds: 200, from: 1, duration: 120_000, jobs: 2, verify: 20 })
  t.match(readSettings(['--hours', '0.5', '--from', '9']), { hours: 0.5, from: 9 })
  t.throws(() => readSettings(['--seeds', 'many']), /--seeds takes a number/)
  t.throws(() => readSettings(['--sede', '4']), /--sede/)
})

t.test('a failure comes with the one command that shows it again', async (t) => {
  const failures = [{ rule: 'I3', message: 'a write is gone', at: 1_500 }]
  const lines = describeFailure({ ...result, failures }, readSettings(['--duration', '30']))
  t.match(lines[0], /^FAIL seed 7, commit /)
  t.equal(lines[1], '  I3 at 1.500 s: a write is gone')
  t.match(lines[2], /npm run simulate -- --seed 7 --duration 30 --replay/)
  t.same(describeFailure(result, readSettings([])), [])
  const kept = readSettings(['--plan', 'a.json'])
  t.match(describeFailure({ ...result, failures }, kept)[2], /-- --plan a.json --replay/)
})

t.test('the summary adds up, and names the states that no seed reached', async (t) => {
  const summary = new Summary()
  summary.add({ result, cpuMillis: 20_000 })
  summary.add({ result, cpuMillis: 20_000, secondHash: 'abc' })
  const text = summary.lines(10_000).join('\n')
  t.match(text, /2 seeds, 2\.00 virtual hours in 10 s; 0 failed; 1 ran twice/)
  t.match(text, /180 times real time for each core/)
  t.match(text, / 10 {2}put: ok/)
  t.match(text, / 6 {2}crash \(3\)/)
  t.match(text, / 2 {2}a read showed siblings/)
  t.match(text, /NEVER REACHED[\s\S]*a read hid an expired value/)
})
