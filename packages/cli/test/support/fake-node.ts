/**
 * Stands in for `shoal start` where the process that keeps nodes is tested: it listens, says that
 * it is ready, and does what `--fake` asks.
 */
import { createServer } from 'node:http'

const parameters = process.argv.slice(2)
const parameterOf = (name: string): string => parameters[parameters.indexOf(name) + 1] ?? ''

const id = parameterOf('--node-id')
const port = Number(parameterOf('--listen').split(':')[1])
const manner = parameters.includes('--fake') ? parameterOf('--fake') : ''

const server = createServer((request, response) => {
  if (request.url === '/die') process.exit(7)
  response.end(`${id}\n`)
})

process.on('SIGTERM', () => {
  if (manner === 'deaf') return
  console.log(`${id} drained`)
  process.exit(0)
})
// Whoever started it is gone.
process.on('disconnect', () => process.exit(0))

if (manner === `fail-${id}`) {
  console.error(`${id} cannot start`)
  process.exit(2)
}
if (manner !== 'mute') {
  server.listen(port, '127.0.0.1', () => {
    console.log(`ready ${id}`)
    process.send?.({ kind: 'ready', url: `http://127.0.0.1:${port}` })
  })
} else {
  // Alive, and never ready.
  setInterval(() => {}, 1_000)
}
