import { spawnSync } from 'node:child_process'

const url = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href)

/**
 * Runs a script in a process of its own and returns how it ended and the lines it printed. The
 * script finds `openRocksStore`, `storeOptions` and the database's folder as `directory`.
 */
export function runChild(
  directory: string,
  script: string,
  shell = 'exec "$@"',
): { status: number | null; lines: string[]; stderr: string } {
  const head = `
    import { ownsException } from ${url('../../src/rocksdb/binding.js')}
    import { openRocksStore } from ${url('../../src/rocksdb/rocks-store.js')}
    import { storeOptions } from ${url('./place.js')}
    const directory = ${JSON.stringify(directory)}
    const say = (...words) => console.log(words.join(' '))
    const codeOf = (error) => error.code ?? error.message
    const alive = setInterval(() => {}, 1_000)
    ${script}
    clearInterval(alive)`
  const command = [process.execPath, '--input-type=module', '-e', head]
  const ran = spawnSync('bash', ['-c', shell, 'bash', ...command], { timeout: 60_000 })
  return {
    status: ran.status,
    lines: String(ran.stdout)
      .split('\n')
      .filter((line) => line !== ''),
    stderr: String(ran.stderr),
  }
}
