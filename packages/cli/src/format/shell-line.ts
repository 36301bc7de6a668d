/** A command line that a person can copy into a shell. */
export const shellLine = (words: readonly string[]): string => words.map(shellWord).join(' ')

const shellWord = (word: string): string =>
  /^[A-Za-z0-9_./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
