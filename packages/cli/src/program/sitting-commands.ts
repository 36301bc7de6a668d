import { Argument, type Command, Option } from 'commander'
import { knownCommands } from '../completion/known.ts'
import { type CompletedShell, completionScript, shells } from '../completion/scripts.ts'
import { exitCodes } from '../exit-codes.ts'
import { below, defaultUrl, does, prose, type Shell } from './parts.ts'

/** `repl`, `completion`: for people at a terminal. */
export function declareSittingCommands(program: Command, shell: Shell): void {
  declareRepl(program, shell)
  declareCompletion(program, shell)
}

function declareRepl(program: Command, shell: Shell): void {
  const command = program
    .command('repl')
    .summary('one command after the other')
    .addOption(
      new Option('--url <url>', 'a node, or several separated by commas')
        .env('SHOAL_URL')
        .default(defaultUrl),
    )
    .description(
      prose(`
      Takes commands line by line, without the word shoal. Quotes, backslashes and # are
      as in a shell. A write follows what this sitting has last seen of its key: its
      context is sent along, unless --context or --blind say otherwise.

      On a terminal Tab completes, and a failure is shown and passed over. Otherwise
      nothing is prompted, and the first command that fails ends it, with its exit code.
      `),
    )
    .addHelpText('after', below('shoal repl', 'shoal repl < commands.txt'))
  does(command, shell, async () => {
    const { repl } = await import('../commands/repl.ts')
    return (io, options: { url: string }) => {
      return repl(io, { ...options, run: shell.run, known: knownCommands(program) })
    }
  })
}

function declareCompletion(program: Command, shell: Shell): void {
  const command = program
    .command('completion')
    .summary('completion for a shell')
    .addArgument(new Argument('<shell>', 'whose').choices(shells))
    .description(
      prose(`
      Prints a script that makes a shell complete commands and options of shoal. The
      first lines of the script say where it belongs.
      `),
    )
    .addHelpText('after', below('source <(shoal completion bash)'))
  does(command, shell, async () => async (io, wanted: CompletedShell) => {
    await io.out.write(completionScript(wanted, knownCommands(program)))
    return exitCodes.done
  })
}
