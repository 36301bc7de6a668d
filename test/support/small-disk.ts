/** A disk in memory that can be filled to the brim, where one can be mounted. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const DISK_MEBIBYTES = 700

export interface SmallDisk {
  readonly path: string
  fill(mebibytes: number): void
  /** Until not a byte is left. */
  fillUp(): void
  empty(): void
  /** Unmounts and removes it. Nothing may use it any more. */
  remove(): void
}

/** @returns why there is none, where there is none */
export function mountSmallDisk(): SmallDisk | string {
  const path = mkdtempSync(join(tmpdir(), 'shoal-disk-'))
  const ballast = join(path, 'ballast')
  const run = (command: string, ...parameters: string[]): void =>
    void execFileSync(command, parameters, { stdio: 'pipe' })
  try {
    run('mount', '-t', 'tmpfs', '-o', `size=${DISK_MEBIBYTES}m`, 'tmpfs', path)
  } catch (error) {
    rmSync(path, { recursive: true, force: true })
    return `no file system can be mounted here: ${(error as Error).message.trim()}`
  }
  return {
    path,
    fill: (mebibytes) => run('fallocate', '-l', `${mebibytes}MiB`, ballast),
    fillUp: () => {
      // What dd cannot write any more is the end it is asked for.
      try {
        run('dd', 'if=/dev/zero', `of=${ballast}.rest`, 'bs=64k')
      } catch {
        return
      }
    },
    empty: () => {
      for (const name of [ballast, `${ballast}.rest`]) rmSync(name, { force: true })
    },
    remove: () => {
      run('umount', '-l', path)
      rmSync(path, { recursive: true, force: true })
    },
  }
}
