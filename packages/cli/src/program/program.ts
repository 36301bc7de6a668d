import { Command } from 'commander'
import { readVersion } from '../version.ts'
import { declareBackupCommands } from './backup-commands.ts'
import { declareDataCommands } from './data-commands.ts'
import { declareNodeCommands } from './node-commands.ts'
import { below, type Shell } from './parts.ts'
import { declareSecureCommands } from './secure-commands.ts'
import { declareSittingCommands } from './sitting-commands.ts'
import { declareStateCommands } from './state-commands.ts'

/**
 * All commands. Printing goes to the shell's `io`, and instead of ending the process its `ended` is
 * told the exit code, or a `CommanderError` is thrown.
 */
export function makeProgram(shell: Shell): Command {
  const { io } = shell
  const program = new Command('shoal')
    .description('A leaderless, replicated key-value store with quorums per request.')
    .version(readVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .enablePositionalOptions()
    .helpCommand('help [command]', 'show the help of a command')
    .addHelpText(
      'after',
      below(
        'shoal dev                               # three nodes on this machine',
        'shoal put carts 42 milk',
        'shoal get carts 42',
        'shoal status',
      ),
    )
  const quiet = (command: Command): void => {
    command
      .exitOverride()
      .showSuggestionAfterError()
      .showHelpAfterError(`(${fullName(command)} --help shows what is possible)`)
      .configureOutput({
        writeOut: (text) => io.out.line(text.trimEnd()),
        writeErr: (text) => io.err.line(text.trimEnd()),
        getOutHasColors: () => io.out.paint.isColorSupported,
        getErrHasColors: () => io.err.paint.isColorSupported,
        getOutHelpWidth: () => Math.min(io.out.isTerminal ? io.out.columns : 100, 100),
        getErrHelpWidth: () => Math.min(io.err.isTerminal ? io.err.columns : 100, 100),
      })
      .configureHelp({ sortOptions: false, sortSubcommands: false })
    for (const each of command.commands) quiet(each)
  }
  declareNodeCommands(program, shell)
  declareDataCommands(program, shell)
  declareStateCommands(program, shell)
  declareSecureCommands(program, shell)
  declareBackupCommands(program, shell)
  declareSittingCommands(program, shell)
  quiet(program)
  return program
}

function fullName(command: Command): string {
  return command.parent === null ? command.name() : `${fullName(command.parent)} ${command.name()}`
}
