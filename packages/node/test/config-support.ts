import { ShoalError } from '@shoal/kernel'
import t from 'tap'
import { type ConfigSources, type NodeConfig, readConfig } from '../src/config/index.ts'

export const secret = 'sixteen bytes and more'

/** The least that a node needs. */
export const enough = { nodeId: 'n1', data: '/data', secretFile: '/secret' } as const

export type Parts = Partial<Omit<ConfigSources, 'file'>> & { readonly toml?: string }

/** Sources with a readable secret; `toml` is the text of `/etc/shoal.toml`. */
export const sourcesOf = ({ toml, ...parts }: Parts): ConfigSources => ({
  flags: {},
  environment: {},
  readSecret: () => ({ text: `${secret}\n` }),
  ...(toml === undefined ? {} : { file: { path: '/etc/shoal.toml', text: toml } }),
  ...parts,
})

/** As `sourcesOf`, with all that is required given by flags. */
export const readWith = ({ flags, ...parts }: Parts): NodeConfig =>
  readConfig(sourcesOf({ ...parts, flags: { ...enough, ...flags } }))

/** Everything a configuration is refused for, as `field: message`, with its code. */
export function refusalOf(sources: ConfigSources): { code: string; errors: string[] } {
  try {
    readConfig(sources)
  } catch (error) {
    if (!(error instanceof ShoalError)) throw error
    const { errors = [] } = error.details
    const lines = errors.map(
      ({ field, offset, message }) =>
        `${field}${offset === undefined ? '' : ` at ${offset}`}: ${message}`,
    )
    return { code: error.code, errors: lines }
  }
  t.fail('it was not refused')
  return { code: '', errors: [] }
}

export const refusalWith = ({ flags, ...parts }: Parts): { code: string; errors: string[] } =>
  refusalOf(sourcesOf({ ...parts, flags: { ...enough, ...flags } }))
