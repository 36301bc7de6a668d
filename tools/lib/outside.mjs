/**
 * Programs that some tests need and npm does not carry: written in Go and built here at a pinned
 * version, or taken from Debian's packages. They are kept in the user's cache folder, one folder
 * for each name and version; but for the browser nothing is installed into the system, and no
 * service is started.
 *
 * This file runs before anything is installed: node's own modules only.
 */
import { execFileSync } from 'node:child_process'
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'

/**
 * @typedef {object} Tool
 * @property {string} what                what it is for, in a few words
 * @property {string} [go]                the Go package of its command, with its version
 * @property {string} [debian]            the package of Debian that holds it
 * @property {string} [file]              where it lies in that package
 * @property {true} [system]              too entwined with the system for a folder: as root it is
 *                                        installed with what it depends on
 * @property {readonly string[]} [libraries]  folders of that package with libraries of its own
 */

/** @type {Readonly<Record<string, Tool>>} */
export const tools = {
  helm: { what: 'the Helm chart', go: 'helm.sh/helm/v3/cmd/helm@v3.22.0' },
  'kubectl-validate': {
    what: 'Kubernetes manifests, by the schemas of the API server',
    go: 'sigs.k8s.io/kubectl-validate@v0.0.4',
  },
  'compose-go': {
    what: 'the compose file, by the library of docker compose',
    go: 'github.com/compose-spec/compose-go/v2/cmd@v2.16.2',
  },
  k6: { what: 'load tests', go: 'go.k6.io/k6@v1.8.1' },
  promtool: { what: 'alerts and rules', debian: 'prometheus', file: 'usr/bin/promtool' },
  prometheus: { what: 'queries on real nodes', debian: 'prometheus', file: 'usr/bin/prometheus' },
  nginx: { what: 'the reverse proxy', debian: 'nginx', file: 'usr/sbin/nginx' },
  caddy: { what: 'the reverse proxy', debian: 'caddy', file: 'usr/bin/caddy' },
  'systemd-analyze': {
    what: 'the unit of systemd',
    debian: 'systemd',
    file: 'usr/bin/systemd-analyze',
    libraries: ['lib/x86_64-linux-gnu/systemd', 'usr/lib/x86_64-linux-gnu/systemd'],
  },
  chromium: { what: 'the console in a browser', debian: 'chromium', system: true },
  mmdebstrap: {
    what: 'empty roots for the image',
    debian: 'mmdebstrap',
    file: 'usr/bin/mmdebstrap',
  },
}

const cache = () => join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'shoal')

function folderOf(name) {
  const { go, debian } = toolNamed(name)
  if (go === undefined) return join(cache(), `debian-${debian}`)
  return join(cache(), `${name}-${go.slice(go.lastIndexOf('@') + 1)}`)
}

function toolNamed(name) {
  const tool = tools[name]
  if (tool === undefined) throw new Error(`no tool ${name}; there are ${Object.keys(tools)}`)
  return tool
}

/**
 * Where a tool is. Those built from Go are taken from the cache alone, so that their version is the
 * pinned one; those of Debian may also be installed in the system.
 *
 * @param {string} name
 * @returns {string | undefined} its path
 */
export function locate(name) {
  const tool = toolNamed(name)
  const kept = tool.go === undefined ? (tool.file ?? name) : name
  const places = [join(folderOf(name), kept)]
  if (tool.go === undefined) {
    const path = `${process.env.PATH ?? ''}${delimiter}/usr/sbin${delimiter}/usr/bin`
    places.unshift(...path.split(delimiter).map((folder) => join(folder, name)))
  }
  return places.find(isProgram)
}

/** Those that are here, each with its place. */
export const located = () =>
  Object.keys(tools).flatMap((name) => {
    const place = locate(name)
    return place === undefined ? [] : [`${name}=${place}`]
  })

function isProgram(path) {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/**
 * The environment in which a tool runs: one taken out of its package finds its libraries there.
 *
 * @param {string} name
 * @returns {NodeJS.ProcessEnv}
 */
export function environmentOf(name) {
  const { libraries = [] } = toolNamed(name)
  const folders = libraries.map((each) => join(folderOf(name), each)).filter(existsSync)
  return folders.length === 0
    ? process.env
    : { ...process.env, LD_LIBRARY_PATH: folders.join(delimiter) }
}

/** Why a test that needs these tools is left out; false where all are here, and always in CI. */
export function leftOutWithout(...names) {
  const missing = names.filter((name) => locate(name) === undefined)
  if (missing.length === 0 || process.env.CI) return false
  return `${missing.join(' and ')} not found; npm run get-tools gets it`
}

/** Puts a tool into the cache, unless it can be found. Throws what went wrong. */
export function install(name) {
  if (locate(name) !== undefined) return
  const tool = toolNamed(name)
  if (tool.system) return installInSystem(tool)
  mkdirSync(cache(), { recursive: true })
  const work = mkdtempSync(join(cache(), `.${name}-`))
  try {
    if (tool.go === undefined) unpack(tool, work)
    else build(name, tool, work)
    rmSync(folderOf(name), { recursive: true, force: true })
    renameSync(work, folderOf(name))
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
  if (locate(name) === undefined) throw new Error(`${name} is not where it should be`)
}

/** As another process of low priority: a build of minutes should not slow down what else runs. */
const call = (command, parameters, options = {}) =>
  execFileSync('nice', [command, ...parameters], {
    stdio: ['ignore', 'ignore', 'pipe'],
    ...options,
  })

function build(name, { go }, folder) {
  const env = { ...process.env, GOBIN: folder, CGO_ENABLED: '0' }
  call('go', ['install', '-ldflags=-s -w', go], { env })
  // Go names a command after the last part of its path that is no major version.
  const [built] = readdirSync(folder)
  renameSync(join(folder, built), join(folder, name))
}

function installInSystem({ debian }) {
  const get = () =>
    call('apt-get', ['install', '--yes', '--quiet', '--no-install-recommends', debian])
  try {
    get()
  } catch {
    call('apt-get', ['update', '--quiet'])
    get()
  }
}

function unpack({ debian }, folder) {
  download(debian, folder)
  const [file] = readdirSync(folder).filter((each) => each.endsWith('.deb'))
  call('dpkg-deb', ['--extract', join(folder, file), folder])
  rmSync(join(folder, file))
}

/** Fails on a machine that has not yet the lists of packages, so once more after getting them. */
function download(debian, folder) {
  const get = () => call('apt-get', ['download', '--quiet', debian], { cwd: folder })
  try {
    get()
  } catch {
    call('apt-get', ['update', '--quiet'])
    get()
  }
}
