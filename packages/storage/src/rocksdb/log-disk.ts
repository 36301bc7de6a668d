import { closeSync, fdatasync, fstatSync, fsync, openSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { LogDisk, LogFile } from './log-sync.ts'

const LOG_NAME = /^(\d+)\.log$/

/** The log files of a RocksDB directory. `close` when the store is done with it. */
export function openLogDisk(directory: string): LogDisk & { close(): void } {
  const directoryDescriptor = openSync(directory, 'r')
  return {
    numbers: () =>
      readdirSync(directory)
        .map((name) => LOG_NAME.exec(name)?.[1])
        .filter((number) => number !== undefined)
        .map(Number)
        .sort((left, right) => left - right),
    open: (number) => openLog(directory, `${String(number).padStart(6, '0')}.log`),
    syncDirectory: () => inPool((done) => fsync(directoryDescriptor, done)),
    close: () => closeSync(directoryDescriptor),
  }
}

function openLog(directory: string, name: string): LogFile | undefined {
  let descriptor: number
  try {
    descriptor = openSync(join(directory, name), 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  return {
    name,
    size: () => fstatSync(descriptor).size,
    sync: () => inPool((done) => fdatasync(descriptor, done)),
    close: () => closeSync(descriptor),
  }
}

function inPool(start: (done: (error: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    start((error) => (error ? reject(error) : resolve()))
  })
}
