/** Where the value of a `put` comes from. */
import { readFile } from 'node:fs/promises'
import { limits } from '@shoal/kernel'
import { UsageError } from '../failure.ts'
import { formatBytes } from '../format/quantities.ts'
import type { Io } from '../terminal.ts'

/**
 * The VALUE given as text, a file, or standard input.
 *
 * @throws UsageError when nothing was given and standard input is a terminal: nobody is asked
 */
export async function readValue(
  { input }: Pick<Io, 'input'>,
  value: string | undefined,
  file: string | undefined,
): Promise<string | Uint8Array> {
  if (value !== undefined && file !== undefined) {
    throw new UsageError('both a VALUE and --file were given', 'Give one of them.')
  }
  if (value !== undefined) return value
  if (file !== undefined && file !== '-') return readWhole(file)
  if (input === undefined || (file === undefined && input.isTTY)) {
    throw new UsageError(
      'no value was given',
      'Give a VALUE, --file FILE, or pipe it in. --file - reads from this terminal.',
    )
  }
  return collect(input)
}

async function readWhole(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file)
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${(error as Error).message}`)
  }
}

/** No more than any node takes: an endless pipe must not fill the memory. */
async function collect(input: NodeJS.ReadableStream): Promise<Uint8Array> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of input) {
    const bytes = chunk as Buffer
    size += bytes.length
    if (size > limits.valueBytesMax) {
      throw new UsageError(
        `standard input holds more than ${formatBytes(limits.valueBytesMax)}, ` +
          'the most a value can have',
      )
    }
    chunks.push(bytes)
  }
  return Buffer.concat(chunks)
}
