/** What one file may not look like, whatever it says. */
import ts from 'typescript'
import { lineOf, walk } from './files.mjs'

const COLUMNS_MAX = 100
const LINES_MAX = 500

// Put together so that this file does not find itself.
const markers = new RegExp(
  `\\b(${['TO' + 'DO', 'FIX' + 'ME', 'X' + 'XX', 'HA' + 'CK'].join('|')})\\b`,
)

/** @param {import('./files.mjs').SourceFile} file */
export function* findText(file) {
  const at = (rule, line, message) => ({ rule, path: file.path, line, message })
  for (const [index, line] of file.lines.entries()) {
    const marker = markers.exec(line)?.[1]
    if (marker)
      yield at('marker', index + 1, `${marker}: do it now, or open an issue and say why not`)
  }
  if (!file.tree) return

  const free = linesLeftUnformatted(file)
  for (const [index, line] of file.lines.entries()) {
    const columns = [...line].length
    if (columns <= COLUMNS_MAX || /https?:\/\//.test(line) || free.has(index + 1)) continue
    yield at('columns', index + 1, `${columns} columns; break it before ${COLUMNS_MAX}`)
  }
  const count = file.lines.length - (file.text.endsWith('\n') ? 1 : 0)
  if (count > LINES_MAX) {
    yield at(
      'length',
      0,
      `${count} lines hide a second responsibility; split it below ${LINES_MAX}`,
    )
  }
  yield* suppressionsWithoutReason(file, at)
}

function* suppressionsWithoutReason(file, at) {
  for (const [index, line] of file.lines.entries()) {
    const found = /@ts-(ignore|nocheck|expect-error)\b:?(.*)$/.exec(line)
    if (!found || !/^\s*(\/\/|\/?\*)/.test(line)) continue
    const [, kind, reason] = found
    if (kind !== 'expect-error') yield at('suppression', index + 1, `no @ts-${kind}`)
    else if (reason.trim().length < 10)
      yield at('suppression', index + 1, 'say why, on the same line')
  }
}

/** Lines of statements that the formatter was told, with a reason, to leave alone. */
function linesLeftUnformatted(file) {
  const lines = new Set()
  if (!file.text.includes('biome-ignore format')) return lines
  walk(file.tree, (node) => {
    const comments = ts.getLeadingCommentRanges(file.text, node.getFullStart()) ?? []
    const left = comments.some(({ pos, end }) =>
      file.text.slice(pos, end).includes('biome-ignore format'),
    )
    if (!left) return
    for (let line = lineOf(file, node.getStart()); line <= lineOf(file, node.getEnd()); line++) {
      lines.add(line)
    }
  })
  return lines
}
