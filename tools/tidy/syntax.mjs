/** What one file may not say, read from its syntax tree. */
import ts from 'typescript'
import { lineOf, walk } from './files.mjs'

/** @param {import('./files.mjs').SourceFile} file */
export function* findSyntax(file) {
  if (!file.tree) return
  const found = []
  walk(file.tree, (node) => {
    for (const check of checks) {
      const message = check.judge(node, file)
      if (message) found.push({ rule: check.rule, node, message })
    }
  })
  for (const { rule, node, message } of found) {
    yield { rule, path: file.path, line: lineOf(file, node.getStart()), message }
  }
}

const checks = [
  { rule: 'export-star', judge: exportStar },
  { rule: 'bare-error', judge: bareError },
  { rule: 'async-core', judge: asyncInCore },
  { rule: 'sleep', judge: sleepInTest },
  { rule: 'index-lists', judge: declarationInIndex },
]

function exportStar(node) {
  if (!ts.isExportDeclaration(node)) return undefined
  if (node.exportClause && ts.isNamedExports(node.exportClause)) return undefined
  return node.moduleSpecifier ? 'name what is exported: a face is a list one can read' : undefined
}

const errorsWithoutCode = new Set(['Error', 'TypeError', 'RangeError', 'SyntaxError'])

function bareError(node, file) {
  if (file.kind !== 'source' || !ts.isNewExpression(node)) return undefined
  if (!errorsWithoutCode.has(node.expression.getText())) return undefined
  return isThrown(node)
    ? 'what is expected is a ShoalError with a code, what must never be an invariant()'
    : undefined
}

const isThrown = (node) =>
  ts.isThrowStatement(node.parent) ||
  (ts.isCallExpression(node.parent) && node.parent.expression.getText() === 'Promise.reject')

const isCore = (file) => /^packages\/[^/]+\/src\/core\//.test(file.path)

function asyncInCore(node, file) {
  if (!isCore(file)) return undefined
  const isAsync =
    node.kind === ts.SyntaxKind.AsyncKeyword ||
    node.kind === ts.SyntaxKind.AwaitKeyword ||
    ts.isAwaitExpression(node) ||
    (ts.isIdentifier(node) && node.text === 'Promise')
  return isAsync
    ? 'each await is a place where the world can change; leave waiting to the shell'
    : undefined
}

const insteadOfSleep =
  'wait for the condition itself, or move a test clock: a sleep is too long or too short'

function sleepInTest(node, file) {
  if (file.kind !== 'test') return undefined
  const sleeps =
    importsTimerPromises(node) ||
    (ts.isCallExpression(node) &&
      (resolvesAfterTime(node) || waitsOnAtomics(node) || promisifiesTimer(node)))
  return sleeps ? insteadOfSleep : undefined
}

const importsTimerPromises = (node) =>
  ts.isImportDeclaration(node) && /^(node:)?timers\/promises$/.test(node.moduleSpecifier.text)

const waitsOnAtomics = (node) => /^Atomics\.wait(Async)?$/.test(node.expression.getText())

const promisifiesTimer = (node) =>
  /(^|\.)promisify$/.test(node.expression.getText()) &&
  node.arguments[0]?.getText() === 'setTimeout'

/**
 * `new Promise((resolve) => setTimeout(resolve, …))`, the callback being `resolve` or calling
 * nothing else.
 */
function resolvesAfterTime(node) {
  if (node.expression.getText() !== 'setTimeout') return false
  const resolve = resolveOfPromiseAround(node)
  const callback = node.arguments[0]
  if (!resolve || !callback) return false
  if (ts.isIdentifier(callback)) return callback.text === resolve
  if (!ts.isArrowFunction(callback)) return false
  const body = callback.body.getText().replace(/^\{\s*|\s*;?\s*\}$/g, '')
  return new RegExp(`^(void )?${resolve}\\([^()]*\\)$`).test(body)
}

function resolveOfPromiseAround(node) {
  for (let around = node.parent; around; around = around.parent) {
    const isExecutor =
      (ts.isArrowFunction(around) || ts.isFunctionExpression(around)) &&
      ts.isNewExpression(around.parent) &&
      around.parent.expression.getText() === 'Promise'
    if (isExecutor) return around.parameters[0]?.name.getText()
  }
  return undefined
}

function declarationInIndex(node, file) {
  if (!/^packages\/[^/]+\/src\/index\.ts$/.test(file.path) || node.parent !== file.tree)
    return undefined
  const isList = ts.isExportDeclaration(node) || node.kind === ts.SyntaxKind.EndOfFileToken
  return isList
    ? undefined
    : 'an index is a list of named exports; let this live beside what it describes'
}
