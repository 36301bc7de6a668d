import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import picocolors from 'picocolors'
import t from 'tap'
import { doctorLines, parseListen } from '../src/commands/doctor.ts'
import {
  examineDirectory,
  judgeFreeSpace,
  judgeIdentity,
  judgeSyncTimes,
} from '../src/doctor/directory.ts'
import { failure, ok, warning } from '../src/doctor/finding.ts'
import {
  judgeNodeVersion,
  judgeOpenFiles,
  judgePlatform,
  lookAtMachine,
  type Machine,
} from '../src/doctor/machine.ts'
import { examinePort, judgeProblems, judgeSkew } from '../src/doctor/network.ts'
import { examineStore } from '../src/doctor/store.ts'
import { shoal } from './support/shoal.ts'

const folder = mkdtempSync(join(tmpdir(), 'shoal-test-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true }))

const good: Machine = {
  nodeVersion: '24.1.0',
  platform: 'linux',
  arch: 'x64',
  glibc: '2.36',
  openFiles: 1_048_576,
}

t.test('the version of Node.js', async (t) => {
  const of = (nodeVersion: string): string => judgeNodeVersion({ ...good, nodeVersion }).verdict
  t.equal(of('20.18.3'), 'failure')
  t.equal(of('18.20.0'), 'failure')
  t.equal(of('20.19.0'), 'ok')
  t.equal(of('24.0.0'), 'ok')
})

t.test('platforms that the store has binaries for', async (t) => {
  const of = (machine: Partial<Machine>): string => judgePlatform({ ...good, ...machine }).verdict
  t.equal(of({}), 'ok')
  t.equal(of({ platform: 'darwin', arch: 'arm64', glibc: undefined }), 'ok')
  t.equal(of({ arch: 'arm64' }), 'warning')
  t.equal(of({ platform: 'darwin' }), 'warning')
  t.match(judgePlatform({ ...good, glibc: undefined }), { verdict: 'failure', advice: /Alpine/ })
})

t.test('what a node says is wrong with it is told with what to do', async (t) => {
  const node = { id: 'n2', url: '', state: 'up', version: '1', uptimeMs: 1, load: 0 }
  t.same(judgeProblems(node), [])
  const lost = 'n2 lost data, its copies do not count: the others fill it; shoal repair --status'
  t.same(judgeProblems({ ...node, problems: [lost] }), [
    warning(
      'node n2',
      'n2 lost data, its copies do not count',
      'the others fill it; shoal repair --status',
    ),
  ])
})

t.test('the limit on open files', async (t) => {
  const of = (openFiles: number | undefined) => judgeOpenFiles({ ...good, openFiles })
  t.equal(of(Number.POSITIVE_INFINITY).found, 'unlimited')
  t.equal(of(undefined).verdict, 'ok')
  t.match(of(4_096), { verdict: 'warning', advice: /ulimit -n/ })
  t.equal(of(1_024).verdict, 'failure')
})

t.test('this machine', async (t) => {
  const machine = lookAtMachine()
  t.equal(machine.nodeVersion, process.versions.node)
  t.match(await examineStore(), { verdict: 'ok' })
})

t.test('a data directory is recognised by its identity file', async (t) => {
  const text = 'Shoal data directory\nformat 1\ncluster c0ffee\nnode n1\ncheck 00\n'
  t.match(judgeIdentity('/d', text, ['SHOAL', 'CLOSED']), {
    verdict: 'ok',
    found: '/d: node n1 of cluster c0ffee, format 1, closed cleanly',
  })
  t.match(judgeIdentity('/d', text, ['SHOAL']).found, /not closed cleanly/)
  t.match(judgeIdentity('/d', text.replace('format 1', 'format 2'), []), {
    verdict: 'failure',
    found: /format 2/,
  })
  t.match(judgeIdentity('/d', 'Shoal dat', []), { verdict: 'failure', found: /damaged/ })
})

t.test('a directory that is missing, empty, or of something else', async (t) => {
  const verdicts = async (path: string): Promise<string[]> =>
    (await examineDirectory(path)).map(({ check, verdict }) => `${check} ${verdict}`)
  const missing = await examineDirectory(join(folder, 'a', 'b'))
  t.match(missing[0], { verdict: 'ok', found: /not there yet/ })
  const empty = join(folder, 'empty')
  mkdirSync(empty)
  t.match((await examineDirectory(empty))[0], { verdict: 'ok', found: /is empty/ })
  const other = join(folder, 'other')
  mkdirSync(other)
  writeFileSync(join(other, 'letter.txt'), 'dear')
  t.equal((await verdicts(other))[0], 'data directory failure')
})

t.test('room on the disk', async (t) => {
  const GIB = 2 ** 30
  const of = (free: number, type = 0): string =>
    judgeFreeSpace({ free, size: 100 * GIB, type }).verdict
  t.equal(of(50 * GIB), 'ok')
  t.equal(of(1 * GIB), 'warning')
  t.equal(of(0.4 * GIB), 'failure')
  t.equal(of(50 * GIB, 0x01021994), 'warning', 'in memory')
  t.equal(of(50 * GIB, 0x6969), 'warning', 'on NFS')
})

t.test('how long a sync takes', async (t) => {
  t.match(judgeSyncTimes([1, 2, 3]), {
    verdict: 'ok',
    found: '2 ms in the middle, 3 ms at worst',
  })
  t.equal(judgeSyncTimes([30, 31, 32]).verdict, 'warning')
  t.equal(judgeSyncTimes([0.001, 0.001, 0.001]).verdict, 'warning')
})

t.test('a clock counts as wrong only by what is sure', async (t) => {
  t.equal(judgeSkew('n1', { aheadMs: 1_400, errorMs: 500 }).verdict, 'ok')
  t.match(judgeSkew('n1', { aheadMs: -3_000, errorMs: 500 }), {
    verdict: 'warning',
    found: '2.5 s or more behind this one',
  })
  t.match(judgeSkew('n1', { aheadMs: 70_000, errorMs: 500 }), {
    verdict: 'failure',
    found: '1 m 9 s or more ahead of this one',
  })
})

t.test('a port that something else holds', async (t) => {
  const server = createServer((socket) => socket.destroy())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  t.match(await examinePort('127.0.0.1', port), { verdict: 'failure', found: /is taken/ })
  await new Promise((resolve) => server.close(resolve))
  t.match(await examinePort('127.0.0.1', port), { verdict: 'ok', found: /is free/ })
})

t.test('HOST:PORT', async (t) => {
  t.same(parseListen('127.0.0.1:4100'), { host: '127.0.0.1', port: 4100 })
  t.same(parseListen('[::1]:4100'), { host: '::1', port: 4100 })
  for (const wrong of ['4100', ':4100', 'a:0', 'a:70000', 'a:b', '::1:4100']) {
    t.throws(() => parseListen(wrong), { name: 'UsageError' }, wrong)
  }
})

t.test('the list of findings ends with a sum', async (t) => {
  const plain = picocolors.createColors(false)
  const findings = [ok('a', 'fine'), warning('bb', 'so so', 'mend it'), failure('c', 'bad', 'stop')]
  t.same(doctorLines(findings, plain), [
    'ok       a   fine',
    'warning  bb  so so',
    '             -> mend it',
    'FAILURE  c   bad',
    '             -> stop',
    '',
    '1 failure, 1 warning',
  ])
})

t.test('as a command', async (t) => {
  const data = join(folder, 'data')
  const parameters = ['doctor', '--json', '--data', data, '--url', 'http://127.0.0.1:1']
  const { code, stdout } = await shoal([...parameters, '--timeout', '500'])
  const { ok: fine, findings } = JSON.parse(stdout) as {
    ok: boolean
    findings: { check: string; verdict: string; found: string }[]
  }
  t.equal(fine, false)
  t.equal(code, 5, 'a cluster that was named does not answer')
  t.match(
    findings.find(({ check }) => check === 'cluster'),
    { verdict: 'failure', found: /ECONNREFUSED/ },
  )
  t.ok(findings.some(({ check, verdict }) => check === 'sync' && verdict !== 'failure'))
})
