/**
 * Writes `docs/cli.md`: the help of every command, as the command itself prints it.
 *
 *     node packages/cli/tools/write-reference.mjs           write it
 *     node packages/cli/tools/write-reference.mjs --check   say whether it is up to date
 */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const path = fileURLToPath(new URL('../../../docs/cli.md', import.meta.url))
const shoal = fileURLToPath(new URL('../bin/shoal.js', import.meta.url))

/** What may not depend on whose machine this is. */
const env = { PATH: process.env.PATH, NO_COLOR: '1' }

const helpOf = (command) =>
  execFileSync(process.execPath, [shoal, ...command, '--help'], { env, encoding: 'utf8' }).trimEnd()

/** The commands that a help text lists, without `help` itself. */
function commandsIn(help) {
  const [, list = ''] = /^Commands:\n((?: {2}.*\n)+)/m.exec(`${help}\n`) ?? []
  const names = list.split('\n').map((line) => /^ {2}(\S+)/.exec(line)?.[1])
  return names.filter((name) => name !== undefined && name !== 'help')
}

function sections(command) {
  const help = helpOf(command)
  const title = ['shoal', ...command].join(' ')
  const marks = '#'.repeat(command.length === 0 ? 2 : 3)
  const own = `${marks} ${title}\n\n\`\`\`text\n${help}\n\`\`\`\n`
  return [own, ...commandsIn(help).flatMap((name) => sections([...command, name]))]
}

const introduction = `# The command line

Generated from what the commands say of themselves: \`node packages/cli/tools/write-reference.mjs\`.

Values go to standard output as bytes, everything about them to standard error, so that pipes stay
clean; \`--json\` puts all of it on standard output as JSON. An error is one JSON line on standard
error then. Colour is for terminals only, and never with \`NO_COLOR\` set. Nothing ever asks a
question.

`

const text = `${introduction}${sections([]).join('\n')}`

if (!process.argv.includes('--check')) writeFileSync(path, text)
else if (readFileSync(path, 'utf8') !== text) {
  console.error(
    'docs/cli.md is not what the commands say: node packages/cli/tools/write-reference.mjs',
  )
  process.exitCode = 1
}
