import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { filesBelow } from '../lib/house.mjs'

/**
 * @typedef {object} Fault
 * @property {string} rule
 * @property {string} path     relative to the root
 * @property {number} line     from 1; 0 means the whole file
 * @property {string} message  what to do instead
 * @property {string} [name]   the thing found, for allowances that cover some things only
 *
 * @typedef {object} SourceFile
 * @property {string} path
 * @property {string} text
 * @property {string[]} lines
 * @property {'source' | 'test' | 'tool' | 'document'} kind  `source` is what ships
 * @property {string | undefined} package  name of its folder below `packages`
 * @property {ts.SourceFile | undefined} tree  of code only
 */

const folders = ['packages', 'test', 'tools', 'docs', 'deploy', 'loadtest']
const isCode = (path) => /\.(ts|mts|cts|js|mjs|cjs)$/.test(path)
const isText = (path) => isCode(path) || /\.(md|sh|ya?ml|toml|html|css|svelte)$/.test(path)

/** @returns {SourceFile[]} */
export function readFiles(base) {
  const inRoot = [...filesBelow('', (path) => isText(path) && !path.includes('/'), base)]
  const below = folders.flatMap((folder) => [...filesBelow(folder, isText, base)])
  return [...inRoot, ...below].map((path) => toFile(path, readFileSync(join(base, path), 'utf8')))
}

/** @returns {SourceFile} */
export function toFile(path, text) {
  return {
    path,
    text,
    lines: text.split('\n'),
    kind: kindOf(path),
    package: /^packages\/([^/]+)\//.exec(path)?.[1],
    tree: isCode(path) ? ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true) : undefined,
  }
}

function kindOf(path) {
  if (!isCode(path)) return 'document'
  if (
    /^(test|loadtest)\/|^packages\/([^/]+\/(test|bench|src\/contract)|bench)(\/|\.ts$)/.test(path)
  )
    return 'test'
  if (/^packages\/[^/]+\/(src|bin)\//.test(path)) return 'source'
  return 'tool'
}

export const lineOf = (file, position) => file.tree.getLineAndCharacterOfPosition(position).line + 1

/** Calls `visit` with every node below, parents first. */
export function walk(node, visit) {
  visit(node)
  ts.forEachChild(node, (child) => walk(child, visit))
}

/**
 * Every module a file names, in imports, re-exports, dynamic imports and `new URL('./x',
 * import.meta.url)`.
 */
export function modulesNamed(file) {
  const named = []
  walk(file.tree, (node) => {
    const module = moduleOf(node)
    if (module !== undefined) named.push({ module, node })
  })
  return named
}

function moduleOf(node) {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) {
    return node.moduleSpecifier?.text
  }
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
    return literal(node.arguments[0])
  }
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
    return literal(node.argument.literal)
  }
  if (ts.isNewExpression(node) && node.expression.getText() === 'URL') {
    return literal(node.arguments?.[0])
  }
  return undefined
}

const literal = (node) => (node && ts.isStringLiteralLike(node) ? node.text : undefined)
