/** Values that say who they are, and cannot be mistaken when a byte of them changes. */
const FILLER = 'abcdefghijklmnopqrstuvwxyz0123456789'

/** @param size  in bytes, at least as long as the id needs */
export function textOf(id: string, size: number): string {
  const head = `${id} ${size} `
  return (
    head + FILLER.repeat(Math.ceil(size / FILLER.length)).slice(0, Math.max(0, size - head.length))
  )
}

/** The id of a value, or the text itself, shortened, where nobody can have written it. */
export function idIn(text: string): string {
  const [id = '', size = ''] = text.split(' ', 2)
  return textOf(id, Number(size)) === text
    ? id
    : `not a value: ${JSON.stringify(text.slice(0, 80))}`
}
