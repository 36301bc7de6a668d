import type { Batch, Column } from '../store.ts'

export interface MemoryOperation {
  readonly column: Column
  readonly key: string
  /** Undefined deletes. */
  readonly value: Buffer | undefined
}

export interface WrittenBatch {
  readonly operations: readonly MemoryOperation[]
  /** What each operation replaced, in their order. */
  readonly replaced: readonly (Buffer | undefined)[]
}

export const keyText = (key: Uint8Array): string =>
  Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1')

export const keyBytes = (text: string): Buffer => Buffer.from(text, 'latin1')

/** Copies keys and values as they come, as the real one does. */
export class MemoryBatch implements Batch {
  #list: MemoryOperation[] = []

  get operations(): number {
    return this.#list.length
  }

  get list(): readonly MemoryOperation[] {
    return this.#list
  }

  put(column: Column, key: Uint8Array, value: Uint8Array): void {
    this.#list.push({ column, key: keyText(key), value: Buffer.from(value) })
  }

  delete(column: Column, key: Uint8Array): void {
    this.#list.push({ column, key: keyText(key), value: undefined })
  }

  clear(): void {
    this.#list = []
  }
}
