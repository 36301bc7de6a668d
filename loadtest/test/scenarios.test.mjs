/** The scenarios by real k6: on a real cluster, and on a server that lies. */
import t from 'tap'
import { leftOutWithout } from '../../tools/lib/outside.mjs'
import { startLiar } from './support/liar.mjs'
import { runLoad } from './support/run.mjs'

const skip = leftOutWithout('k6')

t.test(
  'the smoke scenario holds on a real cluster, and its report has plots',
  { skip },
  async (t) => {
    const { code, output, read, summary } = await runLoad(t, 'smoke', '--slack', '4')
    t.equal(code, 0, output)
    const { lost_ack: lost, acks_checked: checked, checks } = summary()
    t.equal(lost.values.count, 0)
    t.ok(checked.values.count > 0, 'acknowledged writes were looked for')
    t.equal(checks.values.rate, 1)
    t.match(output, /All thresholds held\. Of \d+ acknowledged writes .* 0 were lost/)
    const report = read('report.md')
    for (const name of ['throughput', 'latency', 'cpu', 'memory']) {
      t.ok(report.includes(`](${name}.svg)`), `${name} is in the report`)
      t.match(read(`${name}.svg`), /<path class="line"[^>]* d="M[\d.]+ [\d.]+L/, 'with a line')
    }
  },
)

t.test('acknowledged writes that are gone are found', { skip }, async (t) => {
  const url = await startLiar(t, (writes) => writes % 5 === 0)
  const load = ['--url', url, '--duration', '2', '--rate', '60', '--clients', '4']
  const { code, output, summary } = await runLoad(t, 'smoke', ...load)
  t.equal(code, 1, output)
  const { lost_ack: lost, stale_read: stale } = summary()
  t.ok(lost.values.count > 0, 'lost')
  t.ok(stale.values.passes > 0, 'and seen to be lost while the load ran')
  t.match(output, /thresholds did not hold:.*`lost_ack` count==0/)
  t.match(output, /lost: load-smoke-/, 'each is named')
})
