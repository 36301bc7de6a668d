import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { locate } from '../../tools/lib/outside.mjs'
import { accepted } from './support/settings.mjs'
import { folder, needs, passes, refuses, run, textOf } from './support/tool.mjs'

const unit = textOf('systemd/shoal.service')

/** A machine as far as systemd-analyze looks at it: its own units, ours, and what ours starts. */
function machine(t, text) {
  const root = mkdtempSync(join(tmpdir(), 'shoal-systemd-'))
  t.teardown(() => rmSync(root, { recursive: true }))
  const units = join(root, 'etc', 'systemd', 'system')
  for (const path of [units, join(root, 'usr', 'lib'), join(root, 'opt', 'shoal', 'bin')]) {
    mkdirSync(path, { recursive: true })
  }
  const program = locate('systemd-analyze')
  const system = join('/', program.slice(0, program.lastIndexOf('/usr/bin/')), 'lib', 'systemd')
  cpSync(system, join(root, 'usr', 'lib', 'systemd'), { recursive: true, verbatimSymlinks: true })
  symlinkSync('usr/lib', join(root, 'lib'))
  writeFileSync(join(units, 'shoal.service'), text)
  writeFileSync(join(root, 'opt', 'shoal', 'bin', 'shoal'), '', { mode: 0o755 })
  writeFileSync(join(root, 'etc', 'passwd'), 'shoal:x:999:999::/var/lib/shoal:/usr/sbin/nologin\n')
  writeFileSync(join(root, 'etc', 'group'), 'shoal:x:999:\n')
  return root
}

t.test('systemd finds no fault in the unit', needs('systemd-analyze'), async (t) => {
  await passes(t, 'systemd-analyze', ['verify', `--root=${machine(t, unit)}`, 'shoal.service'])
  const wrong = unit.replace('ExecStart=/opt/shoal/bin/shoal', 'ExecStart=/opt/shoal/shoal')
  const root = machine(t, wrong)
  await refuses(t, 'systemd-analyze', ['verify', `--root=${root}`, 'shoal.service'], /\/opt\/shoal/)
})

t.test('a word that systemd does not know is a fault', needs('systemd-analyze'), async (t) => {
  const root = machine(t, unit.replace('ProtectHome=', 'ProtectHomes='))
  const { stderr } = await verify(root)
  t.match(stderr, /ProtectHomes/)
  t.equal((await verify(machine(t, unit))).stderr, '', 'and there is none')
})

const verify = (root) => run('systemd-analyze', ['verify', `--root=${root}`, 'shoal.service'])

t.test('the unit gives a node no more than it needs', needs('systemd-analyze'), async (t) => {
  // Of 10, in tenths. What is left is the network, and code that is compiled while it runs.
  const exposureMax = 15
  const check = ['security', '--offline=true', '--no-pager', `--threshold=${exposureMax}`]
  await passes(t, 'systemd-analyze', [...check, `--root=${machine(t, unit)}`, 'shoal.service'])
  const open = machine(t, unit.replaceAll(/^(Protect|Private|Restrict|Capability).*\n/gm, ''))
  await refuses(t, 'systemd-analyze', [...check, `--root=${open}`, 'shoal.service'], /exposure/i)
})

t.test('a node takes the settings of the unit and its file', async (t) => {
  const lines = [...unit.matchAll(/^Environment=(.*)$/gm)].flatMap(([, line]) => line.split(' '))
  const variables = Object.fromEntries(lines.map((line) => line.split('=', 2)))
  const config = ['--config', join(folder, 'systemd', 'shoal.toml')]
  // The file of the secret is not here; any other will do.
  const values = await accepted(t, 'the unit', { ...variables, SHOAL_SECRET_FILE: 'x' }, config)
  t.equal(values['node-id'], 'n1')
  t.match(unit, /StateDirectory=shoal\n/, 'made by systemd, where the node keeps its data')
  t.equal(values.data, '/var/lib/shoal')
  t.match(unit, /LogsDirectory=shoal\n/, 'made by systemd, where it writes the audit log')
  t.equal(values['audit-log'], '/var/log/shoal/audit.log')
})
