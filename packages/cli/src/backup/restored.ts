/**
 * Which files of a backup a cluster has already, so that a restore that was interrupted can go on.
 * It lies beside the backup, and is believed only when asked for: the cluster may have been emptied
 * since.
 */
import { appendFile, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'

const pathOf = (folder: string, cluster: string): string =>
  join(folder, `restored-into-${cluster}.txt`)

export async function readDone(folder: string, cluster: string): Promise<readonly string[]> {
  try {
    return (await readFile(pathOf(folder, cluster), 'utf8')).split('\n')
  } catch {
    return []
  }
}

export async function forgetDone(folder: string, cluster: string): Promise<void> {
  await attempt(() => rm(pathOf(folder, cluster), { force: true }))
}

export async function writeDone(folder: string, cluster: string, name: string): Promise<void> {
  await attempt(() => appendFile(pathOf(folder, cluster), `${name}\n`))
}

/** A backup may lie on a medium that cannot be written to: then nothing is remembered. */
async function attempt(work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'EROFS' && code !== 'EACCES' && code !== 'EPERM') throw error
  }
}
