/** A table as GitHub reads it. A bar within a cell is escaped, so that it does not end the cell. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n')
}

/** Blocks with an empty line between them, and one line feed at the end. */
export const page = (...blocks: readonly string[]): string => `${blocks.join('\n\n')}\n`
