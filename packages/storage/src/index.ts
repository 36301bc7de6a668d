/** @shoal/storage: one node's disk, and the form of what lies on it. */
export { leaveCleanMarker, takeCleanMarker } from './clean-marker.ts'
export { clearLossNotes, type LossNotes, noteLoss, readLossNotes } from './loss-notes.ts'
export type { WrittenBatch } from './memory/memory-batch.ts'
export type {
  CrashOutcome,
  DiskWatcher,
  MemoryCrash,
  MemoryDisk,
} from './memory/memory-disk.ts'
export {
  createMemoryDisk,
  createMemoryStore,
  type MemoryStore,
  type MemoryStoreOptions,
} from './memory/memory-store.ts'
export { ownsException } from './rocksdb/binding.ts'
export { makeDirectories } from './rocksdb/make-directories.ts'
export { openRocksStore, type RocksStoreOptions } from './rocksdb/rocks-store.ts'
export {
  type BlockPart,
  encodeRow,
  rowBlocks,
  rowByteLength,
  rowVersion,
  writeRow,
} from './row/row.ts'
export { decodeStoredVersion, encodeStoredVersion } from './row/stored-version.ts'
export {
  type DecodedValue,
  decodeValue,
  encodeTombstoneBlock,
  encodeValueBlock,
  type NewValue,
  valueBlockByteLength,
  writeValueBlock,
} from './row/value-block.ts'
export { type Damage, verifyRow } from './row/verify.ts'
export {
  type Batch,
  type Column,
  columns,
  isDamage,
  type ScanOptions,
  type ScanPage,
  type Store,
  type StorePressure,
} from './store.ts'
// Withheld: the binding to RocksDB, the layout of files and rows, how syncs are shared.
