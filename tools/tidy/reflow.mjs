/**
 * Breaks comments that run over the last column. The formatter leaves comments alone, and nobody
 * counts to a hundred. Only paragraphs with a line too long are touched; tables, drawings and code
 * within comments are left as they are, as are comments behind code.
 */
import ts from 'typescript'
import { toFile, walk } from './files.mjs'

const COLUMNS_MAX = 100

/** @returns {string} the text of the file, with its comments within the columns */
export function reflow(path, text) {
  const { tree } = toFile(path, text)
  if (!tree) return text
  let result = text
  for (const comment of commentBlocks(tree, text).reverse()) {
    const { start, end, indent } = comment
    const old = text.slice(start, end)
    if (!old.split('\n').some((line, at) => (at === 0 ? indent : 0) + line.length > COLUMNS_MAX))
      continue
    result = result.slice(0, start) + rewrite(old, ' '.repeat(indent)) + result.slice(end)
  }
  return result
}

/** Comments that begin their line; neighbouring `//` lines together. */
function commentBlocks(tree, text) {
  const found = new Map()
  walk(tree, (node) => {
    const leading = ts.getLeadingCommentRanges(text, node.getFullStart()) ?? []
    for (const { pos, end } of leading) found.set(pos, { start: pos, end })
  })
  const blocks = []
  for (const { start, end } of [...found.values()].sort((a, b) => a.start - b.start)) {
    const lineStart = text.lastIndexOf('\n', start - 1) + 1
    if (text.slice(lineStart, start).trim() !== '') continue
    const indent = start - lineStart
    const last = blocks.at(-1)
    const joins =
      last?.indent === indent &&
      text.startsWith('//', start) &&
      text.startsWith('//', last.start) &&
      text.slice(last.end, start) === `\n${' '.repeat(indent)}`
    if (joins) last.end = end
    else blocks.push({ start, end, indent })
  }
  return blocks
}

function rewrite(comment, indent) {
  if (comment.startsWith('//')) {
    const lines = comment.split('\n').map((line) => line.trim().slice(2).replace(/^ /, ''))
    return wrapAll(lines, `${indent}// `).join('\n').slice(indent.length)
  }
  const open = /^\/\*+/.exec(comment)[0]
  const inner = comment.slice(open.length, -2).split('\n')
  const lines = inner.map((line, at) =>
    at === 0 ? line.trim() : line.replace(/^\s*\*? ?/, '').trimEnd(),
  )
  while (lines[0] === '') lines.shift()
  while (lines.at(-1) === '') lines.pop()
  const body = wrapAll(lines, `${indent} * `)
  return [open, ...body, `${indent} */`].join('\n')
}

/** @returns {string[]} whole lines, each with its prefix */
function wrapAll(lines, prefix) {
  const width = COLUMNS_MAX - prefix.length
  return items(lines)
    .flatMap(({ item, fenced }) => {
      const isTooLong = item.some((line) => line.length > width)
      return isTooLong && !fenced && !isDrawn(item) ? fill(item, width) : item
    })
    .map((line) => `${prefix}${line}`.trimEnd())
}

const beginsItem = /^\s*([-*+] |\d+[.)] |@\w|\||#|biome-ignore)/
const isFence = (line) => line.trim().startsWith('```')

/** Paragraphs, list items and tags; blank lines and those of a fence are items of their own. */
function items(lines) {
  const found = []
  let fenced = false
  let open = false
  for (const line of lines) {
    if (isFence(line)) fenced = !fenced
    const alone = fenced || isFence(line) || line.trim() === ''
    const item = found.at(-1)?.item
    if (open && !alone && continues(item, line)) item.push(line)
    else found.push({ item: [line], fenced: fenced || isFence(line) })
    open = !alone
  }
  return found
}

function continues(item, line) {
  if (beginsItem.test(line)) return false
  const isFirstHanging = item.length === 1 && beginsItem.test(item[0])
  return isFirstHanging || indentOf(line) === indentOf(item.at(-1))
}

/** Columns set with spaces, tables and code keep their lines. */
const isDrawn = (item) =>
  item.some((line) => /\S {3,}\S|^\s*\||https?:\/\//.test(line)) || indentOf(item[0]) >= 4

const indentOf = (line) => line.length - line.trimStart().length

function fill(item, width) {
  const first = ' '.repeat(indentOf(item[0]))
  const hanging = beginsItem.test(item[0]) ? `${first}  ` : first
  const rest = item[1] === undefined ? hanging : ' '.repeat(indentOf(item[1]))
  const filled = []
  let line = first
  for (const word of item.flatMap((each) => each.trim().split(/\s+/))) {
    const isEmpty = line.trim() === ''
    if (!isEmpty && line.length + 1 + word.length > width) {
      filled.push(line)
      line = `${rest}${word}`
    } else line += isEmpty ? word : ` ${word}`
  }
  return [...filled, line]
}
