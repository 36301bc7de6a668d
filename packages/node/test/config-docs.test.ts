/** Help and documentation follow from the table, and their examples work. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { configurationPage, exampleFile, examplePeers } from '../src/config/documents.ts'
import { flagDefinitions } from '../src/config/flags.ts'
import { readConfig } from '../src/config/index.ts'
import { settings } from '../src/config/schema.ts'
import { sourcesOf } from './config-support.ts'

const page = configurationPage()

t.test('docs/configuration.md is the table of settings', async (t) => {
  const path = join(import.meta.dirname, '..', '..', '..', '..', 'docs', 'configuration.md')
  t.equal(await readFile(path, 'utf8'), page, 'npm run docs writes it again')
})

t.test('every setting has one row with all its names', async (t) => {
  const rows = page.split('\n').filter((line) => line.includes('`SHOAL_') && line.startsWith('|'))
  t.equal(rows.length, settings.length)
  for (const { flag, variable, key } of settings) {
    const names = [flag, variable, key].map((name) => (name === undefined ? '–' : `\`${name}\``))
    t.equal(rows.filter((row) => row.startsWith(`| ${names.join(' | ')} |`)).length, 1, variable)
  }
})

t.test('the command of the page and its file say the same', async (t) => {
  const [, command = ''] = /\$ shoal start ([^$]+)\n\$/.exec(page) ?? []
  const words = command.replaceAll('\\\n', ' ').match(/'[^']*'|\S+/g) ?? []
  const flags: Record<string, string | true> = {}
  words.forEach((word, index) => {
    const setting = settings.find(({ flag }) => flag === word)
    if (setting === undefined) return
    const value = words[index + 1]?.replace(/^'(.*)'$/s, '$1') ?? ''
    flags[setting.id] = setting.kind.type === 'switch' ? true : value
  })
  t.equal(String(flags.peers).replaceAll(/\s/g, ''), examplePeers)
  const byFlags = readConfig(sourcesOf({ flags }))
  const byFile = readConfig(sourcesOf({ toml: exampleFile }))
  t.same(byFlags.settings, byFile.settings)
  t.same(
    byFile.warnings.map(({ message }) => message),
    [siblingsOfExample],
  )
})

const siblingsOfExample =
  '50 siblings of 4MiB are more than the 96MiB that nodes send at once: such keys cannot be read'

t.test('flags are defined for the command line', async (t) => {
  t.same(
    flagDefinitions.map(({ flags }) => flags.split(' ')[0]),
    settings.flatMap(({ flag }) => flag ?? []),
  )
  const textOf = (flags: string): string | undefined =>
    flagDefinitions.find((each) => each.flags === flags)?.description
  t.match(textOf('--replicas <n>'), /\(default: 3, env: SHOAL_REPLICAS\)$/)
  t.match(textOf('--allow-open'), /\(env: SHOAL_ALLOW_OPEN\)$/)
  t.match(textOf('--log <text|json>'), /\(default: text, env: SHOAL_LOG\)$/)
  t.match(textOf('--peers <members>'), /\(default: this node alone, env: SHOAL_PEERS\)$/)
  t.equal(textOf('--secret <secret>'), undefined, 'others on the machine see flags')
})

t.test('defaults are what their readers make of them', async (t) => {
  const flags = { nodeId: 'n1', data: '/data', secretFile: '/secret' }
  const { shown } = readConfig(sourcesOf({ flags }))
  for (const { id, default: text } of settings) {
    if (text !== undefined) t.equal(shown[id], text, id)
  }
})
