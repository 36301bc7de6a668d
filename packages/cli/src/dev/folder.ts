/** Where a local cluster keeps its data: a folder of the user's, or one that goes away with it. */
import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { chmod, mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { ShoalError } from '@shoal/kernel'

export interface DevFolder {
  readonly path: string
  readonly secretFile: string
  /** How many nodes its data belongs to, undefined for a new one. */
  readonly nodes: number | undefined
  readonly isTemporary: boolean
}

const SECRET = 'secret'
const DESCRIPTION = 'dev.json'

/** @param path  a folder to keep; undefined for a temporary one */
export async function openFolder(path: string | undefined): Promise<DevFolder> {
  if (path === undefined) {
    const temporary = await mkdtemp(join(tmpdir(), 'shoal-dev-'))
    return { ...(await prepare(temporary)), isTemporary: true }
  }
  try {
    // Loaded only here: it brings RocksDB along.
    const { makeDirectories } = await import('@shoal/storage')
    await makeDirectories(path, 0o700)
    return { ...(await prepare(resolve(path))), isTemporary: false }
  } catch (error) {
    if (error instanceof ShoalError) throw error
    throw unusable(path, (error as Error).message)
  }
}

/**
 * Ring and cluster id follow from the members, so data of three nodes cannot be opened by five.
 *
 * @param wanted  undefined when the user did not say
 * @param standard  how many nodes a new folder gets then
 */
export async function settleNodes(
  folder: DevFolder,
  wanted: number | undefined,
  standard: number,
): Promise<number> {
  const kept = folder.nodes
  if (kept !== undefined && wanted !== undefined && kept !== wanted) {
    throw unusable(
      folder.path,
      `it holds the data of ${kept} nodes, not ${wanted}; ` +
        `say --nodes ${kept} or use another folder`,
    )
  }
  const nodes = kept ?? wanted ?? standard
  if (kept === undefined) {
    await writeFile(join(folder.path, DESCRIPTION), `${JSON.stringify({ nodes })}\n`)
  }
  return nodes
}

/** Gives a temporary folder back. At the end of the process, so without waiting. */
export function discard({ path, isTemporary }: DevFolder): void {
  if (isTemporary) rmSync(path, { recursive: true, force: true })
}

async function prepare(path: string): Promise<Omit<DevFolder, 'isTemporary'>> {
  const secretFile = join(path, SECRET)
  const description = await readText(join(path, DESCRIPTION))
  if ((await readText(secretFile)) === undefined) {
    if (description !== undefined) throw unusable(path, `its file ${SECRET} is missing`)
    await writeFile(secretFile, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600 })
  }
  await chmod(secretFile, 0o600)
  return { path, secretFile, nodes: nodesIn(path, description) }
}

function nodesIn(path: string, description: string | undefined): number | undefined {
  if (description === undefined) return undefined
  try {
    const { nodes } = JSON.parse(description) as { nodes?: unknown }
    if (Number.isInteger(nodes)) return nodes as number
  } catch {
    // Told below, like any other content that is not ours.
  }
  throw unusable(path, `its file ${DESCRIPTION} is damaged`)
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

const unusable = (path: string, why: string): ShoalError =>
  new ShoalError('SHOAL_CONFIG_INVALID', `the folder ${path} cannot be used: ${why}`)
