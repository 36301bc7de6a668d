/**
 * Whether the store works on this machine: it is opened in a scratch directory, written and read.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSystemEnv, nodeId } from '@shoal/kernel'
import { type Finding, failure, ok } from './finding.ts'

export async function examineStore(): Promise<Finding> {
  const check = 'store'
  const scratch = await mkdtemp(join(tmpdir(), 'shoal-doctor-'))
  try {
    await writeAndRead(join(scratch, 'data'))
    return ok(check, 'its binary loads; a scratch store was written, synced and read')
  } catch (error) {
    return failure(
      check,
      `a scratch store in ${tmpdir()} failed: ${(error as Error).message}`,
      'binaries come for linux x64 with glibc and for macOS on arm64; reinstall with npm ci there',
    )
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

async function writeAndRead(directory: string): Promise<void> {
  const { openRocksStore } = await import('@shoal/storage')
  const env = createSystemEnv((reason) => {
    throw reason
  })
  // Nothing stays, so little room is enough.
  const node = nodeId('doctor')
  const store = await openRocksStore({ env, directory, cluster: 'doctor', node, freeBytesMin: 0 })
  try {
    const [key, value] = [Buffer.from('key'), Buffer.from('value')]
    const batch = store.batch()
    batch.put('rows', key, value)
    store.write(batch)
    await store.sync()
    const [read] = await store.getMany('rows', [key])
    if (read?.equals(value) !== true) throw new ReadBack('what was written came back otherwise')
  } finally {
    await store.close()
  }
}

class ReadBack extends Error {
  override readonly name = 'ReadBack'
}
