/** `shoal repl`. */
import { createInterface, type Interface } from 'node:readline/promises'
import { limits } from '@shoal/kernel'
import { completions, type Known } from '../completion/known.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import type { Run } from '../program/parts.ts'
import { Contexts } from '../repl/contexts.ts'
import { splitWords } from '../repl/words.ts'
import type { Io } from '../terminal.ts'

interface Options {
  readonly url: string
  readonly run: Run
  readonly known: readonly Known[]
}

/** They hold the terminal for themselves, or this very command. */
const refused = ['repl', 'dev', 'start']

/**
 * One command after the other. On a terminal it prompts and goes on after a failure; otherwise it
 * is a script, and ends with the first command that fails.
 */
export async function repl(io: Io, options: Options): Promise<ExitCode> {
  const { input } = io
  if (input === undefined) return exitCodes.usage
  // Where the commands look for it when they are told nothing else.
  io.environment.SHOAL_URL = options.url
  const sitting = { ...io, input: undefined, contexts: new Contexts(limits.replContextsMax) }
  const isTerminal = input.isTTY === true && io.out.isTerminal
  const lines = createInterface({
    input,
    ...(isTerminal ? { output: io.out.stream, historySize: limits.replHistoryMax } : {}),
    completer: (line: string): [string[], string] => {
      const words = [...splitWords(line).words, ...(/(^|\s)$/.test(line) ? [''] : [])]
      return [completions(options.known, words).map((word) => `${word} `), words.at(-1) ?? '']
    },
  })
  if (isTerminal) {
    io.err.line(`Commands without "shoal": put carts 42 milk. Tab completes, Ctrl-D ends.`)
    io.err.line('A write follows what this sitting last saw of its key; --blind does not.')
  }
  try {
    return await take(lines, { io: sitting, run: options.run, isTerminal })
  } finally {
    lines.close()
  }
}

interface Sitting {
  readonly io: Io
  readonly run: Run
  readonly isTerminal: boolean
}

async function take(lines: Interface, sitting: Sitting): Promise<ExitCode> {
  const { isTerminal } = sitting
  const prompt = (text: string): void => {
    if (!isTerminal) return
    lines.setPrompt(text)
    lines.prompt()
  }
  let pending = ''
  prompt(PROMPT)
  for await (const line of lines) {
    pending += line
    const { words, open } = splitWords(pending)
    if (open !== undefined) {
      // A backslash joins two lines; a quotation mark takes the line end with it.
      pending = open === '\\' ? pending.slice(0, -1) : `${pending}\n`
      prompt(CONTINUED)
      continue
    }
    pending = ''
    if (words[0] === 'exit' || words[0] === 'quit') return exitCodes.done
    const code = await runWords(words, sitting)
    if (code !== exitCodes.done && !isTerminal) return code
    prompt(PROMPT)
  }
  return exitCodes.done
}

const PROMPT = 'shoal> '
const CONTINUED = '     > '

async function runWords(words: readonly string[], { io, run }: Sitting): Promise<ExitCode> {
  const given = words[0] === 'shoal' ? words.slice(1) : words
  const [name] = given
  if (name === undefined) return exitCodes.done
  if (refused.includes(name)) {
    io.err.line(`${name} cannot be used here; type it in a shell of its own`)
    return exitCodes.usage
  }
  return run(given, io)
}
