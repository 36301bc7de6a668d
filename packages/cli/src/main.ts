import { exitCodes } from './exit-codes.ts'
import { readVersion } from './version.ts'

const parameters = process.argv.slice(2)

// The reader of a pipe that has seen enough closes it: `shoal list users | head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? exitCodes.done : exitCodes.failed)
})

if (parameters.length === 1 && /^(--version|-V)$/.test(parameters[0] ?? '')) {
  process.stdout.write(`${readVersion()}\n`)
} else {
  const { run } = await import('./run.ts')
  process.exitCode = await run(parameters)
}
