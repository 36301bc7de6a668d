/** One stage of an image: a root, and what the instructions have said so far. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, cpSync, existsSync, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { root } from '../../tools/lib/house.mjs'
import { contextFiles } from './context.mjs'
import { filled, pairsOf } from './dockerfile.mjs'

export class Stage {
  #image
  constructor(place, image) {
    this.place = place
    this.#image = image
    this.environment = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' }
    this.folder = '/'
    this.user = '0:0'
    this.entry = []
    this.command = []
    this.health = []
    this.volumes = []
  }

  /** Carries out one instruction. */
  perform(step, stages) {
    const { keyword, words, json, text } = step
    const values = words.map((word) => filled(word, this.environment))
    switch (keyword) {
      case 'RUN':
        return this.#run(text)
      case 'COPY':
        return this.#copy(step, stages)
      case 'ENV':
        return Object.assign(this.environment, pairsOf(text))
      case 'WORKDIR':
        this.folder = values[0]
        return mkdirSync(join(this.place, this.folder), { recursive: true })
      case 'USER':
        this.user = values[0]
        return
      case 'VOLUME':
        this.volumes.push(...values)
        return
      case 'ENTRYPOINT':
        this.entry = json
        return
      case 'CMD':
        this.command = json
        return
      case 'HEALTHCHECK':
        this.health = json
        return
      case 'LABEL':
      case 'EXPOSE':
      case 'STOPSIGNAL':
        return
      default:
        throw new Error(`${this.#image}: ${keyword} is not known here`)
    }
  }

  #run(text) {
    const child = this.spawn(['/bin/sh', '-c', text], { user: '0:0', network: true, stdio: 2 })
    return ended(child, text)
  }

  #copy({ words, flags }, stages) {
    const to = words.at(-1)
    const target = to.startsWith('/') ? to : join(this.folder, to)
    const source = flags.from === undefined ? undefined : stages.get(flags.from)
    for (const from of words.slice(0, -1)) {
      if (source) cpSync(join(source.place, from), join(this.place, target), copyAll)
      else this.#copyFromContext(from, target)
    }
  }

  #copyFromContext(from, target) {
    const files = contextFiles()
    const inside = files.filter((file) => from === '.' || file.startsWith(`${from}/`))
    const chosen = inside.length > 0 ? inside : files.filter((file) => file === from)
    if (chosen.length === 0) throw new Error(`COPY ${from}: not in the context`)
    for (const file of chosen) {
      const within = file === from ? '' : from === '.' ? file : file.slice(from.length + 1)
      const place = join(this.place, target, within)
      mkdirSync(dirname(place), { recursive: true })
      copyFileSync(join(root, file), place)
    }
  }

  /**
   * A process in this root.
   *
   * @param {readonly string[]} command
   * @param {{ user?: string, network?: boolean, sealed?: boolean, stdio?: unknown,
   *   variables?: Record<string, string>, mounts?: Record<string, string> }} options `network`
   *   lends names and certificates of this machine; `sealed` makes the root read-only, but for
   *   /tmp and what is mounted
   */
  spawn(command, options = {}) {
    const { user = this.user, network = false, sealed = false, stdio = 'pipe' } = options
    const script = [
      'set -e',
      'mount --bind "$R" "$R"',
      'mount -t proc proc "$R/proc"',
      'mount --rbind /dev "$R/dev"',
      ...(network ? lend('/etc/resolv.conf', '/etc/hosts', '/etc/ssl/certs') : []),
      ...(sealed ? ['mount -o remount,bind,ro "$R"', 'mount -t tmpfs tmpfs "$R/tmp"'] : []),
      ...Object.entries(options.mounts ?? {}).map(([to, from]) => `mount --bind ${from} "$R${to}"`),
      'exec chroot --userspec="$U" "$R" /usr/bin/env --chdir="$W" "$@"',
    ]
    const passed = network ? certificates() : {}
    const variables = { ...this.environment, ...passed, ...options.variables }
    const pairs = Object.entries(variables).map(([name, value]) => `${name}=${value}`)
    const inner = ['/bin/sh', '-c', script.join('\n'), 'sh', '--ignore-environment', ...pairs]
    const outer = ['--mount', '--pid', '--fork', '--kill-child', ...inner, ...command]
    return spawn('unshare', outer, {
      env: { PATH: process.env.PATH, R: this.place, U: user, W: this.folder },
      stdio: ['ignore', stdio, stdio],
    })
  }
}

const copyAll = { recursive: true, verbatimSymlinks: true, preserveTimestamps: true }

const lend = (...paths) =>
  paths
    .filter((path) => existsSync(path))
    .map((path) => {
      const make = path === '/etc/ssl/certs' ? 'mkdir -p' : 'touch'
      return `mkdir -p "$R${dirname(path)}"; ${make} "$R${path}"; mount --bind ${path} "$R${path}"`
    })

const certificates = () => {
  const { NODE_EXTRA_CA_CERTS } = process.env
  return NODE_EXTRA_CA_CERTS ? { NODE_EXTRA_CA_CERTS } : {}
}

async function ended(child, what) {
  const [code, signal] = await once(child, 'close')
  if (code !== 0) throw new Error(`${what}: ${signal ?? `exit code ${code}`}`)
}
