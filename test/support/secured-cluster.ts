/** Nodes with TLS, certificates and tokens, as `shoal secure init` makes them. */
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { NodeProcess, script } from './node-process.ts'
import { freePorts } from './ports.ts'

export interface Ran {
  readonly code: number
  readonly out: string
}

/** The command as a user types it, with nothing of our environment. */
export function shoal(...words: readonly string[]): Promise<Ran> {
  const env = { PATH: process.env.PATH, NO_COLOR: '1' }
  return new Promise((resolve) => {
    execFile(process.execPath, [script, ...words], { env, timeout: 120_000 }, (error, out, err) =>
      resolve({ code: error ? Number(error.code ?? 1) : 0, out: out + err }),
    )
  })
}

export interface SecuredCluster {
  readonly folder: string
  /** Where `shoal secure init` put everything. */
  readonly dir: string
  readonly firstPort: number
  readonly urls: readonly string[]
  readonly nodes: readonly NodeProcess[]
  /** The text of a file that was made. */
  file(...names: readonly string[]): string
}

/**
 * Nothing runs yet. Ends with the test, and its files with it.
 *
 * @param more  what nodes are told besides, by flags
 */
export async function prepareSecured(
  t: Test,
  ids: readonly string[],
  more: readonly string[] = [],
): Promise<SecuredCluster> {
  const folder = mkdtempSync(join(tmpdir(), 'shoal-secured-'))
  const dir = join(folder, 'made')
  const firstPort = await freePorts(ids.length)
  const urls = ids.map((_, index) => `https://127.0.0.1:${firstPort + index}`)
  const members = ids.map((id, index) => `${id}=${urls[index]}`).join(',')
  const nodes = ids.map((id, index) => {
    const parameters = ['--config', join(dir, id, 'shoal.toml'), ...more]
    return new NodeProcess({ id, url: urls[index] ?? '', data: join(dir, id, 'data'), parameters })
  })
  t.teardown(async () => {
    await Promise.all(nodes.map((node) => node.kill()))
    rmSync(folder, { recursive: true, force: true })
  })
  const made = await shoal('secure', 'init', dir, '--peers', members)
  // No assertion: after one, tap takes a test without others for ended, and tears it down.
  if (made.code !== 0) throw new Error(`shoal secure init: ${made.out}`)
  const file = (...names: readonly string[]): string => readFileSync(join(dir, ...names), 'utf8')
  return { folder, dir, firstPort, urls, nodes, file }
}
