import type { Known } from './known.ts'

export const shells = ['bash', 'zsh', 'fish'] as const
export type CompletedShell = (typeof shells)[number]

/** A script for a shell, made of the commands as they declare themselves. */
export function completionScript(shell: CompletedShell, known: readonly Known[]): string {
  return { bash: bashScript, zsh: zshScript, fish: fishScript }[shell](known)
}

const paths = (known: readonly Known[]): string =>
  known
    .filter(({ path }) => path !== '')
    .map(({ path }) => `'${path}'`)
    .join('|')

const wordsOf = ({ commands, options }: Known): string =>
  [...commands, ...options].map(({ name }) => name).join(' ')

/**
 * Finds the command that the words typed so far name, and what may follow it: `$shoal_words`. The
 * same in bash and zsh; zsh has meanings of its own for `path` and `words`. Commands are told by
 * case labels; a path has letters, dashes and spaces alone.
 */
const lookUp = (known: readonly Known[], typed: string): string => `\
  local shoal_path='' next word shoal_words
  for word in "\${${typed}}"; do
    next="\${shoal_path:+$shoal_path }$word"
    case "$next" in
    ${paths(known)}) shoal_path="$next" ;;
    esac
  done
  case "$shoal_path" in
${known.map((each) => `    '${each.path}') shoal_words='${wordsOf(each)}' ;;`).join('\n')}
  esac`

const bashScript = (known: readonly Known[]): string => `# shoal completion bash
# Load it now: source <(shoal completion bash). For ever: put that line into ~/.bashrc.
_shoal() {
${lookUp(known, 'COMP_WORDS[@]:1:COMP_CWORD-1')}
  COMPREPLY=($(compgen -W "$shoal_words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _shoal shoal
`

const zshScript = (known: readonly Known[]): string => `#compdef shoal
# shoal completion zsh
# Load it now: source <(shoal completion zsh). For ever: save it as _shoal in a folder of $fpath.
_shoal() {
${lookUp(known, '(@)words[2,CURRENT-1]')}
  compadd -- \${=shoal_words}
  [[ $PREFIX == -* ]] || _files
}
if [[ "$funcstack[1]" == _shoal ]]; then _shoal "$@"; else compdef _shoal shoal; fi
`

function fishScript(known: readonly Known[]): string {
  const lines = known.flatMap(({ path, commands, options }) => {
    const words = path === '' ? [] : path.split(' ')
    const seen = words.map((word) => `__fish_seen_subcommand_from ${word}`).join('; and ')
    const later = commands.map(({ name }) => name).join(' ')
    const none = later === '' ? '' : `not __fish_seen_subcommand_from ${later}`
    const when = [seen, none].filter((part) => part !== '').join('; and ')
    return [
      ...commands.map(
        ({ name, summary }) =>
          `complete -c shoal -f -n '${when}' -a ${name} -d ${fishText(summary)}`,
      ),
      ...options.map(({ name, summary, takesValue, choices }) =>
        [
          `complete -c shoal -n '${when}' -l ${name.slice(2)}`,
          takesValue ? '-r' : '',
          choices.length > 0 ? `-f -a '${choices.join(' ')}'` : '',
          `-d ${fishText(summary)}`,
        ]
          .filter((part) => part !== '')
          .join(' '),
      ),
    ]
  })
  return `# shoal completion fish
# Load it now: shoal completion fish | source.
# For ever: save it as ~/.config/fish/completions/shoal.fish.
${lines.join('\n')}
`
}

const fishText = (text: string): string =>
  `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
