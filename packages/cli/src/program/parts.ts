/** What the declarations of commands have in common. */
import { type Command, InvalidArgumentError, Option } from 'commander'
import type { CredentialOptions } from '../cluster/credentials.ts'
import { type ExitCode, exitCodeHelp } from '../exit-codes.ts'
import type { Io } from '../terminal.ts'

/** Runs one command line to its end. */
export type Run = (parameters: readonly string[], io: Io) => Promise<ExitCode>

export interface Shell {
  readonly io: Io
  readonly ended: (code: ExitCode) => void
  /** Another command line, for commands that take some of their own. */
  readonly run: Run
}

/** What a command does, given its arguments and then its options. */
export type Work<A extends unknown[]> = (io: Io, ...given: A) => Promise<ExitCode>

/**
 * Gives a command its work, which is loaded when it is chosen and not before: most of the time of a
 * short command would go into loading what others need.
 */
export function does<A extends unknown[]>(
  command: Command,
  { io, ended }: Shell,
  load: () => Promise<Work<A>>,
): Command {
  return command.action(async (...given: unknown[]) => {
    const work = await load()
    // The last parameter is the command itself.
    ended(await work(io, ...(given.slice(0, -1) as A)))
  })
}

export const defaultUrl = 'http://127.0.0.1:4100'
const TIMEOUT_DEFAULT = 5_000

/** Options of every command that talks to a cluster. */
export interface ClusterOptions extends CredentialOptions {
  readonly url: string
  readonly timeout: number
  readonly json?: true
}

/** What a cluster with tokens and TLS is asked with. */
export const withCredentials = (command: Command): Command =>
  command
    .addOption(
      new Option('--token-file <file>', 'a file with the token; or the token in SHOAL_TOKEN').env(
        'SHOAL_TOKEN_FILE',
      ),
    )
    .addOption(
      new Option('--ca <file>', 'authority of the certificates of the nodes, in PEM').env(
        'SHOAL_CA',
      ),
    )

export const withCluster = (command: Command): Command =>
  withCredentials(command)
    .addOption(
      new Option('--url <url>', 'a node, or several separated by commas')
        .env('SHOAL_URL')
        .default(defaultUrl),
    )
    .option(
      '--timeout <ms>',
      'milliseconds for each request, all tries together',
      wholeNumber(1, 60_000),
      TIMEOUT_DEFAULT,
    )
    .option('--json', 'print JSON')

/** A parser of whole numbers. */
export const wholeNumber =
  (min: number, max: number) =>
  (text: string): number => {
    const value = Number(text)
    if (/^\d+$/.test(text) && value >= min && value <= max) return value
    throw new InvalidArgumentError(`It is a whole number from ${min} to ${max}.`)
  }

export const share = (text: string): number => {
  const value = Number(text)
  if (/^\d*\.?\d+$/.test(text) && value <= 1) return value
  throw new InvalidArgumentError('It is a number from 0 to 1.')
}

/**
 * What stands below the options: examples, and the exit codes. A line that begins with a space goes
 * on with the one before.
 */
export const below = (...examples: readonly string[]): string => {
  const lines = examples.map((line) => `  ${line.startsWith(' ') ? ' ' : '$'} ${line}`)
  return `\nExamples:\n${lines.join('\n')}\n\n${exitCodeHelp}`
}

/** Text written over several lines, as paragraphs that the help may break where it likes. */
export const prose = (text: string): string =>
  text
    .trim()
    .split(/\n\s*\n/)
    .map((paragraph) => paragraph.trim().replace(/\s+/g, ' '))
    .join('\n\n')
