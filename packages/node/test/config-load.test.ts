/** The files that flags and variables name. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ShoalError } from '@shoal/kernel'
import t from 'tap'
import { describeConfig, inspectConfig, loadConfig } from '../src/index.ts'

const folder = mkdtempSync(join(tmpdir(), 'shoal-test-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true }))

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

const secretFile = file('secret', 'the secret of a test\n')
const given = { nodeId: 'n1', data: '/data', secretFile }

t.test('flags alone', async (t) => {
  const { settings } = loadConfig({ flags: given, environment: {} })
  t.match(settings, { nodeId: 'n1', data: '/data', secret: 'the secret of a test' })
})

t.test('a file named by a flag or a variable, and the secret beside it', async (t) => {
  const path = file('shoal.toml', 'node-id = "n2"\ndata = "here"\nsecret-file = "secret"\n')
  const expected = { nodeId: 'n2', data: join(folder, 'here'), secret: 'the secret of a test' }
  t.match(loadConfig({ flags: { config: path }, environment: {} }).settings, expected)
  const config = loadConfig({ flags: {}, environment: { SHOAL_CONFIG: path } })
  t.match(config.settings, expected)
  t.match(describeConfig(config)[0], { name: 'config', value: path, origin: 'SHOAL_CONFIG' })
  const both = loadConfig({ flags: { config: path }, environment: { SHOAL_CONFIG: '/nowhere' } })
  t.match(both.settings, expected, 'the flag goes first')
})

const unreadable: [path: string, reason: RegExp][] = [
  [join(folder, 'absent'), /^the file cannot be read: ENOENT$/],
  [folder, /^the file cannot be read: EISDIR$/],
  [file('latin1', Buffer.from([0x78, 0xff])), /^the file cannot be read: it is not UTF-8$/],
  [file('large', Buffer.alloc(1_048_577, ' ')), /^the file is larger than (1MiB|4KiB)$/],
  ['', /^(the file cannot be read: ENOENT|it is empty)$/],
  ['a\0b', /^(the file cannot be read: ERR_INVALID_ARG_VALUE|a path has no NUL)$/],
]

t.test('files that cannot be read are told by their place, not by their name', async (t) => {
  for (const [path, reason] of unreadable) {
    for (const id of ['config', 'secretFile'] as const) {
      const { error } = inspectConfig({ flags: { ...given, [id]: path }, environment: {} })
      t.equal(error?.code, 'SHOAL_CONFIG_INVALID')
      for (const { field, message } of error?.details.errors ?? []) {
        t.equal(field, id === 'config' ? '--config' : '--secret-file')
        t.match(message, reason)
      }
    }
  }
})

t.test('a largest file is read', async (t) => {
  const text = 'node-id = "n3"\n'
  const path = file('largest.toml', text.padEnd(1_048_576, '#'))
  t.equal(
    loadConfig({ flags: { config: path, data: '/data', secretFile }, environment: {} }).settings
      .nodeId,
    'n3',
  )
})

t.test('what is wrong is thrown, or handed over to be looked at', async (t) => {
  const wrong = { flags: { ...given, replicas: '9' }, environment: {} }
  t.throws(() => loadConfig(wrong), { code: 'SHOAL_CONFIG_INVALID' })
  const { config, error } = inspectConfig(wrong)
  t.equal(config, undefined)
  t.ok(error instanceof ShoalError)
})
