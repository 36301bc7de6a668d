/**
 * Which way imports point, and whether the manifests say the same.
 *
 * dependency-cruiser reads every import, types included, and judges by `.dependency-cruiser.cjs`.
 * From the same graph this checks what its rules cannot say: which library is named where, and that
 * `package.json` and `tsconfig.json` of each package list what is imported and nothing else.
 */
import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { cruise } from 'dependency-cruiser'
import extractOptions from 'dependency-cruiser/config-utl/extract-depcruise-options'
import ts from 'typescript'
import { filesBelow, readJson, root, workspaces } from './lib/house.mjs'

/**
 * @typedef {object} Import
 * @property {string} from    the importing file, relative to the root
 * @property {string} module  as written
 */

/** What no package imports from: scripts of the house, and those that k6 runs. */
const apart = ['tools', 'loadtest', 'deploy']

/**
 * @param {string} base  root of the repository to look at
 * @returns {Promise<string[]>} a line for each fault
 */
export async function findFaults(base = root) {
  const { graph, comments } = await readGraph(base)
  const imports = graph.modules.flatMap(({ source, dependencies }) =>
    dependencies.map(({ module }) => ({ from: source, module })),
  )
  const architecture = readJson(join(base, 'tools', 'architecture.json'))
  const packages = workspaces(base).filter(({ folder }) => !apart.includes(folder))
  return [
    ...graph.summary.violations.map((each) => describeViolation(each, comments)),
    ...unknownPackages(packages, architecture),
    ...misplacedLibraries(imports, architecture),
    ...packages.flatMap((each) => manifestFaults(each, imports, base)),
    ...rootFaults(packages, base),
  ]
}

async function readGraph(base) {
  const options = await extractOptions(join(base, '.dependency-cruiser.cjs'))
  const folders = ['packages', 'test'].filter((folder) => existsSync(join(base, folder)))
  const { output } = await cruise(folders, { ...options, baseDir: base, validate: true })
  const comments = new Map(options.ruleSet.forbidden.map(({ name, comment }) => [name, comment]))
  return { graph: output, comments }
}

function describeViolation({ from, to, rule, cycle }, comments) {
  const path = cycle ? [from, ...cycle.map(({ name }) => name)].join(' -> ') : `${from} -> ${to}`
  return `${path}: ${rule.name}: ${comments.get(rule.name)}`
}

/** A package that the architecture does not know has no row, so no rule would hold it. */
function unknownPackages(packages, { rows }) {
  const known = rows.flat()
  return packages
    .filter(({ folder }) => folder.startsWith('packages/') && !known.includes(nameOf(folder)))
    .map(({ folder }) => `${folder}: has no row in tools/architecture.json`)
}

const nameOf = (folder) => folder.split('/').at(-1)

/**
 * `@scope/name` or `name` of a library, undefined for our own files, our packages and node's
 * modules.
 */
export function libraryOf(module) {
  if (module.startsWith('.') || isBuiltin(module) || isOurs(module)) return undefined
  return packageOf(module)
}

const packageOf = (module) =>
  module
    .split('/')
    .slice(0, module.startsWith('@') ? 2 : 1)
    .join('/')

const isOurs = (module) => module === 'shoal' || module.startsWith('@shoal/')

/** What ships. A contract is a suite of tests that a package offers, beside its sources. */
const isSource = (path) => /^packages\/[^/]+\/(src\/(?!contract[./])|bin\/)/.test(path)

/**
 * Each library is named only where the architecture allows it, so that it can be replaced there.
 */
function misplacedLibraries(imports, { libraries }) {
  const faults = []
  const filesNaming = new Map()
  for (const { from, module } of imports) {
    const library = libraryOf(module)
    if (!library || !isSource(from)) continue
    const allowed = libraries[library]
    const where = `${from} -> ${library}`
    if (!allowed) faults.push(`${where}: this library has no line in tools/architecture.json`)
    else if (!allowed.packages.includes(from.split('/')[1])) {
      faults.push(`${where}: only ${allowed.packages.join(' and ')} may name it`)
    }
    if (allowed?.files) filesNaming.set(library, (filesNaming.get(library) ?? new Set()).add(from))
  }
  for (const [library, files] of filesNaming) {
    if (files.size > libraries[library].files) {
      faults.push(`${[...files].sort().join(', ')}: only one file may name ${library}`)
    }
  }
  return faults
}

/** The manifest and the compiler's references list what is imported, all of it and no more. */
function manifestFaults({ folder, manifest, path }, imports, base) {
  const { dependencies = {}, devDependencies = {} } = manifest
  const own = imports.filter(({ from }) => from.startsWith(`${folder}/`))
  const named = (keep) =>
    new Set(
      own
        .filter(keep)
        .map(({ module }) => module)
        .filter(isFromOutside)
        .map(packageOf),
    )
  const inSources = named(({ from }) => isSource(from) || !folder.startsWith('packages/'))
  const inTests = named(({ from }) => !isSource(from))
  const rootTools = readJson(join(base, 'package.json')).devDependencies ?? {}
  const faults = []

  for (const name of inSources) {
    if (dependencies[name] || (rootTools[name] && !folder.startsWith('packages/'))) continue
    faults.push(`imports ${name}, which its dependencies lack`)
  }
  for (const name of inTests) {
    if (dependencies[name] || devDependencies[name] || rootTools[name]) continue
    faults.push(`its tests import ${name}, which its devDependencies lack`)
  }
  for (const name of Object.keys(dependencies)) {
    if (!inSources.has(name) && folder !== 'test')
      faults.push(`depends on ${name} and never imports it`)
  }
  for (const name of Object.keys(devDependencies)) {
    if (!inTests.has(name)) faults.push(`depends on ${name} for its tests, which never import it`)
  }
  for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies })) {
    if (!/^\d+\.\d+\.\d+$/.test(version))
      faults.push(`wants ${name} ${version}, not one exact version`)
  }
  if (!manifest.scripts?.test && hasTests(folder, base)) faults.push('has tests and no test script')
  faults.push(...referenceFaults({ ...dependencies, ...devDependencies }, path))
  return faults.map((fault) => `${folder}: ${fault}`)
}

const hasTests = (folder, base) =>
  !filesBelow(folder, (path) => /\.test\.\w+$/.test(path), base).next().done

const isFromOutside = (module) => !module.startsWith('.') && !isBuiltin(module)

function referenceFaults(dependencies, path) {
  const file = join(path, 'tsconfig.json')
  if (!existsSync(file)) return []
  const references = readTsconfig(file).references ?? []
  const referred = references.map(
    (reference) => readJson(join(path, reference.path, 'package.json')).name,
  )
  const wanted = Object.keys(dependencies).filter(isOurs)
  return [
    ...wanted
      .filter((name) => !referred.includes(name))
      .map((name) => `depends on ${name}, which the references of its tsconfig.json lack`),
    ...referred
      .filter((name) => !wanted.includes(name))
      .map((name) => `its tsconfig.json refers to ${name}, on which it does not depend`),
  ]
}

const readTsconfig = (file) => ts.parseConfigFileTextToJson(file, readFileSync(file, 'utf8')).config

/** The root builds every package, and all packages want the same version of a library. */
function rootFaults(packages, base) {
  const built = (readTsconfig(join(base, 'tsconfig.json')).references ?? []).map(({ path }) => path)
  const faults = packages
    .filter(
      ({ folder, path }) => existsSync(join(path, 'tsconfig.json')) && !built.includes(folder),
    )
    .map(({ folder }) => `tsconfig.json: its references lack ${folder}`)
  const versions = new Map()
  for (const { folder, manifest } of packages) {
    const all = { ...manifest.dependencies, ...manifest.devDependencies }
    for (const [name, version] of Object.entries(all)) {
      const first = versions.get(name) ?? { version, folder }
      versions.set(name, first)
      if (first.version === version) continue
      faults.push(`${folder}: wants ${name} ${version}, and ${first.folder} wants ${first.version}`)
    }
  }
  return faults
}

if (import.meta.url === pathToFileURL(realpathSync(process.argv[1])).href) {
  process.chdir(root)
  const faults = await findFaults()
  for (const fault of faults) console.log(fault)
  if (faults.length > 0) process.exitCode = 1
}
