import { open, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { hash64, hex64 } from '@shoal/ring'

/**
 * The small text files beside RocksDB: lines of a word and a value, the last one a checksum over
 * those before it. A person can read them; a machine notices when a person or a disk changed them.
 */
export type Fields = readonly (readonly [name: string, value: string])[]

export function formatFields(title: string, fields: Fields): string {
  const text = `${title}\n${fields.map(([name, value]) => `${name} ${value}\n`).join('')}`
  return `${text}check ${hex64(hash64(Buffer.from(text)))}\n`
}

/** The fields of a file, or undefined when its title or checksum is wrong. */
export function parseFields(title: string, text: string): Fields | undefined {
  const checkAt = text.lastIndexOf('check ')
  const body = text.slice(0, Math.max(checkAt, 0))
  if (text.slice(checkAt) !== `check ${hex64(hash64(Buffer.from(body)))}\n`) return undefined
  const [first, ...lines] = body.split('\n')
  if (first !== title || lines.pop() !== '') return undefined
  return lines.map((line) => {
    const space = line.indexOf(' ')
    return [line.slice(0, space), line.slice(space + 1)] as const
  })
}

export async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** On return the file survives a power cut, name and content. Replaces an old one in one step. */
export async function writeDurably(path: string, text: string): Promise<void> {
  const draft = `${path}.draft`
  const file = await open(draft, 'w')
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  await renameDurably(draft, path)
}

export async function renameDurably(from: string, to: string): Promise<void> {
  await rename(from, to)
  await syncDirectory(dirname(to))
}

export async function removeDurably(path: string): Promise<void> {
  await rm(path, { force: true })
  await syncDirectory(dirname(path))
}

export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
