import type { Command } from 'commander'

/** What can be typed after a command, as far as it is the same on every cluster. */
export interface Known {
  /** Without `shoal`: `config show`. Empty for `shoal` itself. */
  readonly path: string
  readonly summary: string
  readonly commands: readonly { readonly name: string; readonly summary: string }[]
  readonly options: readonly KnownOption[]
}

export interface KnownOption {
  readonly name: string
  readonly summary: string
  readonly takesValue: boolean
  readonly choices: readonly string[]
}

/** All commands, `shoal` first, each before its own. */
export function knownCommands(command: Command, path: readonly string[] = []): Known[] {
  const commands = command.commands.filter((each) => each.name() !== 'help')
  const own: Known = {
    path: path.join(' '),
    summary: command.summary(),
    commands: commands.map((each) => ({ name: each.name(), summary: each.summary() })),
    options: optionsOf(command),
  }
  return [own, ...commands.flatMap((each) => knownCommands(each, [...path, each.name()]))]
}

const optionsOf = (command: Command): KnownOption[] =>
  command
    .createHelp()
    .visibleOptions(command)
    .flatMap(({ long, description, required, optional, argChoices = [] }) =>
      typeof long === 'string'
        ? [
            {
              name: long,
              summary: description,
              takesValue: required || optional,
              choices: argChoices,
            },
          ]
        : [],
    )

/** What the last of these words may become; the words before it say in which command. */
export function completions(known: readonly Known[], words: readonly string[]): string[] {
  const typed = words.at(-1) ?? ''
  const here = commandOf(known, words.slice(0, -1))
  const names = [
    ...here.commands.map(({ name }) => name),
    ...(typed.startsWith('-') ? here.options.map(({ name }) => name) : []),
  ]
  return names.filter((name) => name.startsWith(typed)).sort()
}

function commandOf(known: readonly Known[], words: readonly string[]): Known {
  const [top] = known
  let here = top as Known
  for (const word of words) {
    const path = here.path === '' ? word : `${here.path} ${word}`
    const next = known.find((each) => each.path === path)
    if (next !== undefined) here = next
  }
  return here
}
