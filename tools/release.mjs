/**
 * Lays out what a server needs to run `shoal`, and nothing else: built code, the libraries that it
 * uses, and node itself. Everything must be built. The image and the unit of systemd run this tree.
 *
 *     npm run build && npm run release -- /opt/shoal
 *
 * What npm installs for `shoal` alone is taken from the lockfile, so the versions are those that
 * were tested. The tree runs from any place.
 */
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { ourNode, outerEnvironment, root, workspaces } from './lib/house.mjs'

const COMMAND = 'shoal'
const packages = workspaces()

/** The packages of this repository that the command needs, itself included. */
function needed(name, found = new Set()) {
  const one = packages.find((each) => each.name === name)
  if (one === undefined || found.has(one)) return found
  found.add(one)
  for (const each of Object.keys(one.manifest.dependencies ?? {})) needed(each, found)
  return found
}

/** npm wants to see every manifest that the lockfile speaks of. */
function copyManifests(out) {
  for (const file of ['package.json', 'package-lock.json', '.npmrc']) {
    copyFileSync(join(root, file), join(out, file))
  }
  for (const { folder, path } of packages) {
    mkdirSync(join(out, folder), { recursive: true })
    copyFileSync(join(path, 'package.json'), join(out, folder, 'package.json'))
  }
}

/** The one library with native code carries it built, so no script has to run. */
function installLibraries(out) {
  const scope = ['--omit=dev', `--workspace=${COMMAND}`, '--include-workspace-root=false']
  const manner = ['--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline']
  execFileSync('npm', ['ci', ...scope, ...manner], {
    cwd: out,
    env: outerEnvironment(),
    stdio: ['ignore', 2, 2],
  })
}

const isRun = (path) =>
  !/\.(d\.ts|map|tsbuildinfo)$/.test(path) && !/\/dist\/(test|bench)$/.test(path)

function copyBuilt(out) {
  const wanted = needed(COMMAND)
  for (const { folder, path } of packages) {
    if (![...wanted].some((each) => each.folder === folder)) {
      rmSync(join(out, folder), { recursive: true })
      continue
    }
    for (const part of ['bin', 'dist']) {
      if (!existsSync(join(path, part))) continue
      cpSync(join(path, part), join(out, folder, part), { recursive: true, filter: isRun })
    }
  }
}

/** RocksDB comes with its sources and with builds for other machines: 40 of 54 MB. */
function leaveOutSources(out) {
  const rocks = join(out, 'node_modules', '@nxtedition', 'rocksdb')
  for (const part of ['deps', 'prebuilds.zip', 'binding.cc', 'binding.gyp']) {
    rmSync(join(rocks, part), { recursive: true, force: true })
  }
  const here = `${process.platform}-${process.arch}`
  for (const each of readdirSync(join(rocks, 'prebuilds'))) {
    if (each !== here) rmSync(join(rocks, 'prebuilds', each), { recursive: true })
  }
  if (!existsSync(join(rocks, 'prebuilds', here))) {
    throw new Error(`RocksDB is not carried built for ${here}: build the release on linux-x64`)
  }
}

const wrapper = `#!/bin/sh
# The command, on the node that it was released with.
here=$(dirname "$(readlink -f "$0")")
exec "$here/node" "$here/../packages/cli/bin/shoal.js" "$@"
`

function addCommand(out) {
  mkdirSync(join(out, 'bin'))
  copyFileSync(ourNode(), join(out, 'bin', 'node'))
  writeFileSync(join(out, 'bin', COMMAND), wrapper)
  for (const file of ['node', COMMAND]) chmodSync(join(out, 'bin', file), 0o755)
}

function main([place]) {
  if (place === undefined) {
    console.error(`usage: npm run release -- FOLDER`)
    return 2
  }
  const out = resolve(place)
  if (existsSync(out) && readdirSync(out).length > 0) {
    console.error(`${out} is not empty: give a new folder`)
    return 2
  }
  mkdirSync(out, { recursive: true })
  copyManifests(out)
  installLibraries(out)
  copyBuilt(out)
  leaveOutSources(out)
  addCommand(out)
  const version = execFileSync(join(out, 'bin', COMMAND), ['--version'], { encoding: 'utf8' })
  console.log(`${basename(out)}: shoal ${version.trim()} in ${out}`)
  return 0
}

process.exitCode = main(process.argv.slice(2))
