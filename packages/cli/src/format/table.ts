/** Columns of text. Widths count characters as shown, so colour is put on afterwards. */
export interface Cell {
  readonly text: string
  readonly paint?: ((text: string) => string) | undefined
}

export interface Column {
  readonly title: string
  readonly align?: 'right'
}

/** One line for the titles and one for each row, without trailing space. */
export function tableLines(
  columns: readonly Column[],
  rows: readonly (readonly (Cell | string)[])[],
  paintTitle: (text: string) => string = (text) => text,
): string[] {
  const cells = rows.map((row) => row.map(toCell))
  const widths = columns.map(({ title }, index) =>
    Math.max(title.length, ...cells.map((row) => row[index]?.text.length ?? 0)),
  )
  const titles = columns.map(({ title }) => ({ text: title, paint: paintTitle }))
  return [titles, ...cells].map((row) => lineOf(row, columns, widths))
}

const toCell = (cell: Cell | string): Cell => (typeof cell === 'string' ? { text: cell } : cell)

function lineOf(
  row: readonly Cell[],
  columns: readonly Column[],
  widths: readonly number[],
): string {
  const parts = row.map(({ text, paint }, index) => {
    const space = ' '.repeat(Math.max(0, (widths[index] ?? 0) - text.length))
    const shown = paint === undefined || text === '' ? text : paint(text)
    if (columns[index]?.align === 'right') return space + shown
    return index === row.length - 1 ? shown : shown + space
  })
  return parts.join('  ').trimEnd()
}
