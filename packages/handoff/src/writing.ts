import { ShoalError } from '@shoal/kernel'
import type { Batch, Store } from '@shoal/storage'

/** False when the disk is full: then nothing was written. */
export function writeIfRoom(store: Store, batch: Batch): boolean {
  try {
    store.write(batch)
    return true
  } catch (error) {
    if (error instanceof ShoalError && error.code === 'SHOAL_STORAGE_FULL') return false
    throw error
  }
}

/** For work that is called by who cannot help it: a failure goes to who can. */
export function attempt<T>(work: () => T, failed: (reason: unknown) => void): T | undefined {
  try {
    return work()
  } catch (error) {
    failed(error)
    return undefined
  }
}
