/**
 * Time, chance, network, disk and the process are ports. What ships may not reach for them by
 * itself, or a cluster could not run on virtual time and no seed would replay a run.
 */
import ts from 'typescript'
import { lineOf, modulesNamed, walk } from './files.mjs'

const globals = {
  Date: 'use env.clock.wall()',
  performance: 'use env.clock.elapsed()',
  setTimeout: 'use env.clock.after()',
  setInterval: 'use env.clock.after(), and again when it has fired',
  setImmediate: 'use env.nextTurn()',
  process: 'take what you need as a parameter; only node and cli know the process',
  crypto: 'use env.random(label)',
  fetch: 'use the Peers port, or the HTTP shell of the client',
  console: 'say it through a port; only node and cli print',
  globalThis: 'name what you need, or take it as a parameter',
  WeakRef: 'own what you keep: collection happens at random',
  FinalizationRegistry: 'close what you open: collection happens at random',
}

const modules = {
  fs: 'use the Store port',
  'fs/promises': 'use the Store port',
  net: 'use the Peers port',
  tls: 'use the Peers port',
  dgram: 'use the Peers port',
  dns: 'use the Peers port',
  http: 'use the Peers port',
  https: 'use the Peers port',
  http2: 'use the Peers port',
  child_process: 'only node and cli start processes',
  cluster: 'only node and cli start processes',
  worker_threads: 'only node and adapters start threads',
  os: 'take what you need as a parameter',
  process: globals.process,
  perf_hooks: globals.performance,
  timers: globals.setTimeout,
  'timers/promises': globals.setTimeout,
}

const chanceOfCrypto = /^(random|getRandomValues|webcrypto|generate|subtle)/

const ownsTheWorld = new Set(['node', 'cli'])

/** @param {import('./files.mjs').SourceFile} file */
export function* findWorld(file) {
  if (file.kind !== 'source' || ownsTheWorld.has(file.package)) return
  for (const { module, node } of modulesNamed(file)) yield* worldlyImport(file, module, node)
  const declared = declaredNames(file)
  const found = []
  walk(file.tree, (node) => {
    const name = worldlyName(node, declared)
    if (name) found.push({ name, node })
  })
  for (const { name, node } of found) yield fault(file, node, name, globals[name] ?? globals.crypto)
}

function* worldlyImport(file, module, node) {
  const name = module.replace(/^node:/, '')
  if (Object.hasOwn(modules, name)) yield fault(file, node, `node:${name}`, modules[name])
  if (name !== 'crypto' || !ts.isImportDeclaration(node)) return
  const bindings = node.importClause?.namedBindings
  if (!bindings || !ts.isNamedImports(bindings)) {
    yield fault(file, node, 'node:crypto', 'import its functions by name')
    return
  }
  for (const { name: local, propertyName } of bindings.elements) {
    const imported = (propertyName ?? local).text
    if (chanceOfCrypto.test(imported)) yield fault(file, node, imported, globals.crypto)
  }
}

function worldlyName(node, declared) {
  if (!ts.isIdentifier(node) || !isReference(node)) return undefined
  if (node.text === 'Math' && node.parent.name?.text === 'random') return 'Math.random'
  return Object.hasOwn(globals, node.text) && !declared.has(node.text) ? node.text : undefined
}

/**
 * Whether an identifier stands for a value or type in scope, and not for a member or its own
 * declaration.
 */
function isReference(node) {
  const { parent } = node
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node
  if (ts.isQualifiedName(parent)) return parent.left === node
  if (ts.isShorthandPropertyAssignment(parent)) return true
  if (ts.isImportSpecifier(parent) || ts.isExportSpecifier(parent)) return false
  if (ts.isBindingElement(parent) && parent.propertyName === node) return false
  return parent.name !== node
}

/** Names the file itself declares anywhere: those are not the globals. */
function declaredNames(file) {
  const names = new Set()
  walk(file.tree, (node) => {
    const isDeclaration =
      ts.isVariableDeclaration(node) ||
      ts.isParameter(node) ||
      ts.isBindingElement(node) ||
      ts.isFunctionDeclaration(node) ||
      ts.isClassDeclaration(node) ||
      ts.isInterfaceDeclaration(node) ||
      ts.isTypeAliasDeclaration(node) ||
      ts.isImportSpecifier(node)
    if (isDeclaration && node.name && ts.isIdentifier(node.name)) names.add(node.name.text)
  })
  return names
}

const fault = (file, node, name, instead) => ({
  rule: 'world',
  path: file.path,
  line: lineOf(file, node.getStart()),
  message: `${name} is outside this package's reach: ${instead}`,
  name,
})
