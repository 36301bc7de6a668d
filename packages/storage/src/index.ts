/** @shoal/storage: one node's disk. */
export { type Batch, type Column, columns, type ScanOptions, type ScanPage, type Store, type StorePressure } from './store.ts'
