/**
 * @shoal/node/flags: the flags of a node, for a command line. Apart from what reads them, so that
 * help is shown without loading it.
 */
import { type Group, settings } from './schema.ts'

export interface FlagDefinition {
  /** `--listen <host:port>`, `--allow-open`. */
  readonly flags: string
  readonly group: Group
  /** Default and variable included. */
  readonly description: string
}

/** In the order in which help shows them. */
export const flagDefinitions: readonly FlagDefinition[] = settings.flatMap(
  ({ flag, placeholder, group, description, defaultWords, variable, kind }) => {
    if (flag === undefined) return []
    const standard = kind.type === 'switch' ? '' : defaultWords
    const notes = [...(standard === '' ? [] : [`default: ${standard}`]), `env: ${variable}`]
    return [
      {
        flags: placeholder === '' ? flag : `${flag} ${placeholder}`,
        group,
        description: `${description} (${notes.join(', ')})`,
      },
    ]
  },
)
