/**
 * Starts the unit of systemd under a systemd of its own, with everything that it forbids.
 *
 *     npm run unit
 *
 * A root of Debian with systemd, a release, and a configuration with certificates; systemd is the
 * first process of namespaces made for it, and sees a network of its own. systemd-analyze reads a
 * unit; only this shows that a node lives within it. Needs root, mmdebstrap, the package registries
 * and cgroups of version 2; takes a minute or two.
 */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmdirSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { root } from '../../tools/lib/house.mjs'
import { run, unpackBase } from './roots.mjs'

const START_TIMEOUT_MS = 120_000
const END_TIMEOUT_MS = 20_000
const unit = join(root, 'deploy', 'systemd', 'shoal.service')

/** What runs before systemd does: mounts as a container has them, nothing of ours to be written. */
const boot = `set -e
mount --make-rprivate /
mount --bind "$R" "$R"
mount -t proc proc "$R/proc"
mount --bind "$R/proc/sys" "$R/proc/sys"
mount -o remount,bind,ro "$R/proc/sys"
mount -t sysfs -o ro sysfs "$R/sys"
mount -t cgroup2 none "$R/sys/fs/cgroup"
for each in run tmp dev; do mount -t tmpfs tmpfs "$R/$each"; done
mkdir -p "$R/dev/shm" "$R/dev/mqueue" "$R/dev/hugepages" "$R/dev/pts"
for each in null zero full random urandom tty ptmx; do
  touch "$R/dev/$each"
  mount --bind "/dev/$each" "$R/dev/$each"
done
ip link set lo up
cd "$R"
mkdir -p old
pivot_root . old
exec chroot . /bin/sh -c 'umount -l /old
  exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd \\
    --unit=multi-user.target --log-target=journal --show-status=no'
`

/** Of no use in here, or not to be touched from here. */
const masked = [
  ...['systemd-logind', 'systemd-udevd', 'systemd-networkd', 'systemd-timesyncd'],
  ...['systemd-firstboot', 'systemd-sysctl', 'systemd-modules-load', 'console-getty'],
].map((name) => `${name}.service`)

function furnish(place) {
  execFileSync('npm', ['run', 'release', '--', join(place, 'opt', 'shoal')], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  })
  const units = join(place, 'etc', 'systemd', 'system')
  const wanted = join(units, 'multi-user.target.wants')
  mkdirSync(wanted, { recursive: true })
  copyFileSync(unit, join(units, 'shoal.service'))
  symlinkSync('../shoal.service', join(wanted, 'shoal.service'))
  for (const each of masked) symlinkSync('/dev/null', join(units, each))
  // As docs/deployment.md says it.
  const inside = (...command) => run('chroot', [place, ...command])
  const home = ['--home-dir', '/var/lib/shoal', '--shell', '/usr/sbin/nologin']
  inside('useradd', '--system', '--user-group', ...home, 'shoal')
  inside('/opt/shoal/bin/shoal', 'secure', 'init', '/root/cluster', '--nodes', '1')
  inside('cp', '--recursive', '/root/cluster/n1', '/etc/shoal')
  inside('chown', '--recursive', 'root:shoal', '/etc/shoal')
  inside('chmod', '--recursive', 'u=rwX,g=rX,o=', '/etc/shoal')
}

/** A control group of its own, in the hierarchy of version 2. */
function makeGroup() {
  const [, mounted] = /^\S+ (\S+) cgroup2 /m.exec(readFileSync('/proc/mounts', 'utf8')) ?? []
  if (mounted === undefined) throw new Error('there are no control groups of version 2')
  const group = join(mounted, `shoal-unit-${process.pid}`)
  mkdirSync(group)
  return group
}

/** Once the last process in it has ended, which takes a moment after the first one did. */
async function removeGroup(group) {
  const due = performance.now() + END_TIMEOUT_MS
  const remove = () => {
    const below = execFileSync('find', [group, '-depth', '-type', 'd'], { encoding: 'utf8' })
    for (const each of below.trim().split('\n')) rmdirSync(each)
    return true
  }
  while (!attempt(remove) && performance.now() < due) await pause(200)
}

async function use(place) {
  const group = makeGroup()
  const enter = `echo $$ > ${group}/cgroup.procs; exec unshare "$@"`
  const spaces = ['--mount', '--pid', '--fork', '--ipc', '--uts', '--net', '--cgroup']
  const parameters = ['-c', enter, 'sh', ...spaces, '--kill-child', '/bin/sh', '-c', boot]
  const env = { PATH: process.env.PATH, R: place }
  const child = spawn('/bin/sh', parameters, { env, stdio: ['ignore', 2, 2] })
  const end = once(child, 'close')
  try {
    await live(child)
  } finally {
    child.kill('SIGKILL')
    await end
    await removeGroup(group)
  }
}

async function live(child) {
  const inside = (...command) => {
    const [init] = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').split(' ')
    const spaces = ['-m', '-p', '-n', '-i', '-u', '-C', '-r', '-w']
    return execFileSync('nsenter', ['-t', init, ...spaces, ...command], { encoding: 'utf8' })
  }
  const journal = () => inside('journalctl', '--unit', 'shoal', '--no-pager')
  const due = performance.now() + START_TIMEOUT_MS
  for (let log = ''; !log.includes('"ready"'); await pause(500)) {
    log = attempt(journal)
    if (performance.now() > due || log.includes('Failed')) throw new Error(`not ready:\n${log}`)
  }
  const secrets = ['--ca', '/root/cluster/ca.pem', '--token-file', '/root/cluster/token']
  const asked = ['--url', 'https://127.0.0.1:4100', '--quiet', ...secrets]
  const shoal = (...command) => inside('/opt/shoal/bin/shoal', ...command, ...asked)
  shoal('put', 'unit', 'key', 'a value')
  console.log(`wrote and read: ${shoal('get', 'unit', 'key')}`)
  console.log(
    inside('systemd-analyze', 'security', 'shoal', '--no-pager').trim().split('\n').at(-1),
  )
  inside('systemctl', 'stop', 'shoal')
  const ended = inside('systemctl', 'show', 'shoal', '--property=Result,ExecMainStatus')
  if (!ended.includes('Result=success')) throw new Error(`${ended}\n${journal()}`)
  console.log('stopped, exit code 0')
}

function attempt(work) {
  try {
    return work()
  } catch {
    return ''
  }
}

const work = mkdtempSync(join(tmpdir(), 'shoal-unit-'))
try {
  const place = join(work, 'root')
  unpackBase('debian:bookworm-slim', place, ['systemd', 'dbus'])
  furnish(place)
  await use(place)
} finally {
  rmSync(work, { recursive: true, force: true })
}
