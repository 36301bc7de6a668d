import t from 'tap'
import { TestCluster } from './support/cluster.ts'

t.test('what only one of two replicas has, both have after an exchange', async (t) => {
  const cluster = await TestCluster.start({ nodes: 2, idle: true })
  for (let index = 0; index < 40; index++) {
    await cluster.put(index % 2 === 0 ? 'n1' : 'n2', `key ${index}`, `value ${index}`)
  }
  await cluster.exchangeAll('n1')
  const report = cluster.node('n1').antiEntropy.repairs.list()[0]
  t.equal(report?.state, 'done')
  t.equal(cluster.rowsOf('n1').size, 40)
  t.same(cluster.rowsOf('n1'), cluster.rowsOf('n2'))
})
