import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSystemEnv, type Env, nodeId } from '@shoal/kernel'
import type { RocksStoreOptions } from '../../src/rocksdb/rocks-store.ts'

export const env: Env = createSystemEnv((reason) => {
  throw reason
})

export async function temporaryFolder(): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'shoal-storage-'))
  return { path, remove: () => rm(path, { recursive: true, force: true }) }
}

export function storeOptions(directory: string): RocksStoreOptions {
  return { env, directory, cluster: 'reef', node: nodeId('ada'), freeBytesMin: 0 }
}
