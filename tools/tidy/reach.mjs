/** Files that nothing needs: they mislead whoever reads them. */
import { posix } from 'node:path'
import { modulesNamed } from './files.mjs'

/**
 * @param {readonly import('./files.mjs').SourceFile[]} files
 * @param {readonly { folder: string, manifest: Record<string, any> }[]} workspaces
 */
export function* findDead(files, workspaces) {
  const code = new Map(files.filter(({ tree }) => tree).map((file) => [file.path, file]))
  const shipped = reach(workspaces.flatMap(entries), code)
  const tests = [...code.keys()].filter((path) => /\.test\.(ts|mjs)$/.test(path))
  const scripts = workspaces.flatMap(scriptFiles)
  const tested = reach([...tests, ...scripts], code)

  for (const { path, kind } of code.values()) {
    const alive = kind === 'source' ? shipped.has(path) : shipped.has(path) || tested.has(path)
    if (alive || !isOwned(path)) continue
    yield { rule: 'dead', path, line: 0, message: messageFor(kind, tested.has(path)) }
  }
}

const isOwned = (path) => /^(packages\/[^/]+\/(src|test)|test|tools)\//.test(path)

function messageFor(kind, tested) {
  if (kind !== 'source') return 'no test and no script needs this file; remove it'
  if (tested) return 'only tests need this file; move it to them, or export what it is for'
  return 'nothing needs this file; remove it, or export what it is for'
}

/** Source files behind the built ones that a manifest offers. */
function entries({ folder, manifest }) {
  const offered = [...leaves(manifest.exports), ...leaves(manifest.bin), ...leaves(manifest.main)]
  return offered.flatMap((path) => candidates(posix.join(folder, path)))
}

function* leaves(value) {
  if (typeof value === 'string') yield value
  else if (value) for (const each of Object.values(value)) yield* leaves(each)
}

/** Files that npm scripts name, as `node run-tests.mjs` does. */
function scriptFiles({ folder, manifest }) {
  return Object.values(manifest.scripts ?? {})
    .flatMap((script) => script.match(/[\w./-]+\.(mjs|js|ts)\b/g) ?? [])
    .flatMap((path) => candidates(posix.join(folder, path)))
}

/** The paths in the sources that a path may stand for: as written, or where it was built from. */
function candidates(path) {
  const asWritten = path.replace(/(^|\/)dist\//, '$1')
  return [path, asWritten, asWritten.replace(/\.d\.ts$/, '.ts'), asWritten.replace(/\.js$/, '.ts')]
}

function reach(roots, code) {
  const reached = new Set()
  const waiting = [...roots]
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    const file = code.get(path)
    if (!file || reached.has(path)) continue
    reached.add(path)
    for (const { module } of modulesNamed(file)) {
      if (!module.startsWith('.')) continue
      waiting.push(...candidates(posix.join(posix.dirname(path), module)))
    }
  }
  return reached
}
