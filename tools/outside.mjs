/**
 * Gets the programs that some tests need and npm does not carry (`lib/outside.mjs`). Go is needed
 * for some, Debian's packages for others. The first time takes minutes, later nothing.
 *
 *     npm run get-tools                     all of them
 *     node tools/outside.mjs helm promtool  these
 *     node tools/outside.mjs --list         what there is; exit code 1 if any is missing
 */
import { install, locate, tools } from './lib/outside.mjs'

const parameters = process.argv.slice(2)
const named = parameters.filter((each) => !each.startsWith('--'))
const wanted = named.length > 0 ? named : Object.keys(tools)

function get(name) {
  if (parameters.includes('--list')) return
  try {
    install(name)
  } catch (error) {
    console.error(`${name}: ${String(error.stderr ?? error.message).trim()}`)
  }
}

for (const name of wanted) {
  get(name)
  const place = locate(name)
  if (place === undefined) process.exitCode = 1
  const word = place === undefined ? 'missing' : 'ok     '
  console.log(`${word} ${name} (${tools[name]?.what}) ${place ?? ''}`.trimEnd())
}
