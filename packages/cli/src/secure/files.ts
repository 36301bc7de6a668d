/** Files that hold secrets: for their owner alone, and never half written. */
import { randomBytes } from 'node:crypto'
import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { ShoalError } from '@shoal/kernel'

export const secretMode = 0o600
export const publicMode = 0o644

/** Replaces the file as a whole: whoever reads it meanwhile sees the old one or the new. */
export async function putFile(path: string, text: string, mode: number): Promise<void> {
  const beside = `${path}.${randomBytes(4).toString('hex')}`
  try {
    await writeFile(beside, text, { mode, flag: 'wx' })
    await rename(beside, path)
  } catch (error) {
    await rm(beside, { force: true })
    throw unusable(path, error)
  }
}

export async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw unusable(path, error)
  }
}

export async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw unusable(path, error)
  }
}

export const unusable = (path: string, error: unknown): ShoalError => {
  const { code = String(error) } = error as NodeJS.ErrnoException
  return new ShoalError('SHOAL_CONFIG_INVALID', `${path} cannot be used: ${code}`)
}
