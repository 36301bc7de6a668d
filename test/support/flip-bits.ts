/** What a bad disk does to the files of a store. */
import { closeSync, openSync, readdirSync, readSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'

const sizeOf = (file: string): number => statSync(file).size

/** Tables and logs of a data directory, the largest first: that one holds the values. */
export function storeFiles(data: string): string[] {
  const database = join(data, 'rocksdb')
  return readdirSync(database)
    .filter((name) => /\.(sst|log)$/.test(name))
    .map((name) => join(database, name))
    .filter((file) => sizeOf(file) > 0)
    .sort((one, other) => sizeOf(other) - sizeOf(one))
}

/** Turns bits over, in the first `share` of each file: a table ends with what opens it. */
export function flipBits(
  files: readonly string[],
  { flips, random, share = 1 }: { flips: number; random: () => number; share?: number },
): void {
  for (const name of files) {
    const size = sizeOf(name) * share
    const file = openSync(name, 'r+')
    for (let flip = 0; flip < flips; flip++) {
      const at = Math.floor(random() * size)
      const byte = Buffer.alloc(1)
      readSync(file, byte, 0, 1, at)
      byte[0] = (byte[0] ?? 0) ^ (1 << Math.floor(random() * 8))
      writeSync(file, byte, 0, 1, at)
    }
    closeSync(file)
  }
}
