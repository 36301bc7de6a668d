import { writeFile } from 'node:fs/promises'
import { UsageError } from '../failure.ts'

export async function saveBytes(file: string, bytes: Uint8Array): Promise<void> {
  try {
    await writeFile(file, bytes)
  } catch (error) {
    throw new UsageError(`${file} cannot be written: ${(error as Error).message}`)
  }
}
