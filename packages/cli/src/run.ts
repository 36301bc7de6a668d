import { CommanderError } from 'commander'
import { type ExitCode, exitCodes } from './exit-codes.ts'
import { reportFailure } from './failure.ts'
import { makeProgram } from './program/program.ts'
import { type Io, systemIo } from './terminal.ts'

/**
 * Runs one command line to its end. Never throws: failures are printed here and become an exit
 * code.
 */
export async function run(parameters: readonly string[], io: Io = systemIo()): Promise<ExitCode> {
  let exit: ExitCode = exitCodes.done
  const program = makeProgram({
    io,
    run,
    ended: (code) => {
      exit = code
    },
  })
  try {
    await program.parseAsync([...parameters], { from: 'user' })
    return exit
  } catch (error) {
    // Commander has already said what is wrong, or shown the help that was asked for.
    if (error instanceof CommanderError) {
      return error.exitCode === 0 ? exitCodes.done : exitCodes.usage
    }
    return reportFailure(error, io.err, wantsJson(parameters))
  }
}

function wantsJson(parameters: readonly string[]): boolean {
  const end = parameters.indexOf('--')
  return parameters.slice(0, end < 0 ? undefined : end).includes('--json')
}
