/** The roots that stages begin with: Debian's smallest set of packages, with or without node. */
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  realpathSync,
  renameSync,
  symlinkSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { ourNode } from '../../tools/lib/house.mjs'
import { locate } from '../../tools/lib/outside.mjs'

const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'shoal')

export const run = (command, parameters, options = {}) =>
  execFileSync(command, parameters, { stdio: ['ignore', 2, 2], ...options })

/** Debian as small as its -slim images: required packages and apt, no documentation. */
function debian(release, more) {
  const kept = join(cache, `${['root', release, ...more].join('-')}.tar`)
  if (existsSync(kept)) return kept
  mkdirSync(cache, { recursive: true })
  const slim = ['/usr/share/doc/*', '/usr/share/man/*', '/usr/share/locale/*', '/usr/share/info/*']
  const without = slim.map((path) => `--dpkgopt=path-exclude=${path}`)
  const including = more.length === 0 ? [] : [`--include=${more.join(',')}`]
  const fresh = `${kept}.${process.pid}`
  const options = [
    '--variant=minbase',
    '--mode=root',
    '--format=tar',
    '--quiet',
    ...including,
    ...without,
  ]
  const program = locate('mmdebstrap')
  // It calls a helper that lies beside it.
  const PATH = `${dirname(program)}:${process.env.PATH}`
  run(program, [...options, release, fresh], { env: { ...process.env, PATH } })
  renameSync(fresh, kept)
  return kept
}

/** `debian:bookworm-slim`, or `node:24.21.0-bookworm-slim`: the same with node and npm. */
export function unpackBase(image, place, more = []) {
  const [, name, version, release] = /^(debian|node):(?:([\d.]+)-)?(\w+)-slim$/.exec(image) ?? []
  if (release === undefined) throw new Error(`do not know what ${image} holds`)
  mkdirSync(place, { recursive: true })
  run('tar', [
    '--extract',
    '--file',
    debian(release, more),
    '--directory',
    place,
    '--numeric-owner',
  ])
  if (name === 'node') addNode(place, version)
}

function addNode(place, version) {
  const node = ourNode()
  const ours = execFileSync(node, ['--version'], { encoding: 'utf8' }).trim()
  if (ours !== `v${version}`) throw new Error(`the image has node ${version}, we test with ${ours}`)
  const bin = join(place, 'usr', 'local', 'bin')
  const modules = join(place, 'usr', 'local', 'lib', 'node_modules')
  copyFileSync(realpathSync(node), join(bin, 'node'))
  chmodSync(join(bin, 'node'), 0o755)
  mkdirSync(modules, { recursive: true })
  cpSync(npmFolder(), join(modules, 'npm'), { recursive: true })
  for (const each of ['npm', 'npx']) {
    symlinkSync(`../lib/node_modules/npm/bin/${each}-cli.js`, join(bin, each))
  }
}

/**
 * The npm that runs us, or would: below a script of npm our own node comes first in the path, and
 * has none beside it.
 */
function npmFolder() {
  const told = process.env.npm_execpath
  if (told !== undefined && existsSync(told)) return dirname(dirname(realpathSync(told)))
  const root = execFileSync('npm', ['root', '--global'], { encoding: 'utf8' }).trim()
  return join(root, 'npm')
}
