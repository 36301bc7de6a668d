/**
 * `npm run bench`: the goals table on this machine; `npm run bench -- overload`: what is left of it
 * when more is asked for than can be done. Installs and builds what is missing; other parameters
 * after `--` go to it.
 */
import { launch } from './lib/launch.mjs'

const given = process.argv.slice(2)
const isOverload = given[0] === 'overload'
const file = isOverload ? 'overload.js' : 'main.js'

await launch(['packages', 'bench', 'dist', 'src', file], {
  parameters: () => given.slice(isOverload ? 1 : 0),
})
