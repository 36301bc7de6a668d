/** `shoal completion`. */
import { knownCommands } from '../completion/known.ts'
import { type CompletedShell, completionScript } from '../completion/scripts.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { makeProgram } from '../program/program.ts'
import type { Io } from '../terminal.ts'

export async function completion(io: Io, shell: CompletedShell): Promise<ExitCode> {
  const known = knownCommands(makeProgram(io, () => {}))
  await io.out.write(completionScript(shell, known))
  return exitCodes.done
}
