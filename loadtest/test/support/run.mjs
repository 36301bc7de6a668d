/** `npm run loadtest` without its preparations: what it needs is built and found already. */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { locate } from '../../../tools/lib/outside.mjs'

const command = fileURLToPath(new URL('../../dist/src/main.js', import.meta.url))

/**
 * @param {import('tap').Test} t
 * @param {readonly string[]} parameters
 */
export async function runLoad(t, ...parameters) {
  const out = mkdtempSync(join(tmpdir(), 'shoal-loadtest-'))
  t.teardown(() => rmSync(out, { recursive: true, force: true }))
  const all = [command, ...parameters, '--out', out, '--k6', locate('k6') ?? 'k6']
  const child = spawn(process.execPath, all, { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      output += text
    })
  }
  const code = await new Promise((resolve) => {
    child.once('close', resolve)
  })
  const read = (name) => readFileSync(join(out, name), 'utf8')
  return { code, output, read, summary: () => JSON.parse(read('summary.json')).metrics }
}
