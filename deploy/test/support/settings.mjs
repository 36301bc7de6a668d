/** Whether a node accepts settings, asked of the command itself. */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { plainEnvironment, shoal } from './cluster.mjs'

/**
 * What `shoal config show` says of these settings. Files of secrets are replaced by one that
 * exists.
 *
 * @param {Record<string, string>} variables
 * @param {readonly string[]} [parameters]
 * @returns {Promise<{ code: number, values: Record<string, unknown>, text: string }>}
 */
export async function settingsOf(t, variables, parameters = []) {
  const folder = mkdtempSync(join(tmpdir(), 'shoal-settings-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const secret = join(folder, 'secret')
  writeFileSync(secret, 'f'.repeat(64), { mode: 0o600 })
  const env = { ...plainEnvironment(), ...variables }
  if (env.SHOAL_SECRET_FILE) env.SHOAL_SECRET_FILE = secret
  const command = [shoal, 'config', 'show', '--json', ...parameters]
  return new Promise((resolve) => {
    execFile(process.execPath, command, { env, cwd: folder }, (error, stdout, stderr) => {
      const { settings = [], warnings = [] } = JSON.parse(stdout || '{}')
      const values = Object.fromEntries(settings.map(({ name, value }) => [name, value]))
      resolve({ code: error?.code ?? 0, values, warnings, text: stdout + stderr })
    })
  })
}

/** What a node says of settings that trust the network, which some of ours are meant to. */
const trusting = /can read and write everything|unencrypted/

/** A node takes these settings, without a warning but that the network has to keep others out. */
export async function accepted(t, what, variables, parameters) {
  const { code, values, warnings, text } = await settingsOf(t, variables, parameters)
  t.equal(code, 0, `${what} is accepted${code === 0 ? '' : `: ${text}`}`)
  const others = warnings.filter(({ message }) => !trusting.test(message))
  t.same(others, [], `${what} gives no warning`)
  return values
}
