/** How a line falls into words: quotes and backslashes as in a shell, and nothing else of one. */
export interface Words {
  readonly words: readonly string[]
  /** A quotation mark that is still open, or a backslash at the end: more is to come. */
  readonly open: '"' | "'" | '\\' | undefined
}

export function splitWords(line: string): Words {
  const words: string[] = []
  let word: string | undefined
  let quote: '"' | "'" | undefined
  for (let at = 0; at < line.length; at++) {
    const char = line[at] as string
    if (char === '\\' && quote !== "'") {
      if (at + 1 === line.length) return { words, open: '\\' }
      at++
      word = (word ?? '') + line[at]
    } else if (quote !== undefined) {
      if (char === quote) quote = undefined
      else word += char
    } else if (char === '"' || char === "'") {
      quote = char
      word ??= ''
    } else if (/\s/.test(char)) {
      if (word !== undefined) words.push(word)
      word = undefined
    } else if (char === '#' && word === undefined) {
      break
    } else {
      word = (word ?? '') + char
    }
  }
  if (word !== undefined) words.push(word)
  return { words, open: quote }
}
