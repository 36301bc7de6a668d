import { limits } from '@shoal/kernel'
import type { Batch, Column } from '../store.ts'
import {
  batchClear,
  batchDelete,
  batchPut,
  type ColumnOption,
  createNativeBatch,
  type NativeBatch,
} from './binding.ts'

/** Bytes that RocksDB adds to each operation of a batch, at most. */
const OPERATION_BYTES = 16

/** Bytes are copied into RocksDB's own buffer as they come; nothing of the caller is kept. */
export class RocksBatch implements Batch {
  readonly #columns: Readonly<Record<Column, ColumnOption>>
  #native: NativeBatch = createNativeBatch()
  #operations = 0
  #bytes = 0
  #housekeeping = true

  constructor(columns: Readonly<Record<Column, ColumnOption>>) {
    this.#columns = columns
  }

  get operations(): number {
    return this.#operations
  }

  get bytes(): number {
    return this.#bytes
  }

  /**
   * Whether it touches nothing but `meta`: small, rare, and needed to start and stop on a full
   * disk.
   */
  get isHousekeeping(): boolean {
    return this.#housekeeping
  }

  get native(): NativeBatch {
    return this.#native
  }

  put(column: Column, key: Uint8Array, value: Uint8Array): void {
    batchPut(this.#native, key, value, this.#columns[column])
    this.#note(column, key.length + value.length)
  }

  delete(column: Column, key: Uint8Array): void {
    batchDelete(this.#native, key, this.#columns[column])
    this.#note(column, key.length)
  }

  clear(): void {
    // RocksDB keeps the room of the largest batch for ever.
    if (this.#bytes > limits.storeBatchBytesKept) this.#native = createNativeBatch()
    else batchClear(this.#native)
    this.#operations = 0
    this.#bytes = 0
    this.#housekeeping = true
  }

  #note(column: Column, bytes: number): void {
    this.#operations++
    this.#bytes += bytes + OPERATION_BYTES
    if (column !== 'meta') this.#housekeeping = false
  }
}
