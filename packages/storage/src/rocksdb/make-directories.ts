import { mkdir, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'

/**
 * Makes a directory and those above it that are missing. Returns what it made, the topmost first.
 *
 * The `recursive` of Node's own `mkdir` never ends where a file system answers "no such directory"
 * although the parent is there, as /proc does. Here every step is one call that must succeed.
 */
export async function makeDirectories(path: string, mode?: number): Promise<string[]> {
  const directory = resolve(path)
  try {
    await mkdir(directory, mode)
    return [directory]
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST' && (await isDirectory(directory))) return []
    const parent = dirname(directory)
    if (code !== 'ENOENT' || parent === directory || (await isDirectory(parent))) throw error
    const above = await makeDirectories(parent, mode)
    await mkdir(directory, mode)
    return [...above, directory]
  }
}

async function isDirectory(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined)
  return found?.isDirectory() === true
}
