/**
 * Which of several sources a setting comes from: flag, then environment, then file, then default.
 */
import type { FieldError } from '@shoal/kernel'
import { didYouMean } from './reading.ts'
import { type Setting, type SettingId, settings } from './schema.ts'
import { suggest } from './suggest.ts'
import { readToml } from './toml.ts'

/** By the id of the setting, as commander hands them over. A switch is `true`. */
export type ConfigFlags = { readonly [Id in SettingId]?: string | boolean | undefined }

/** A text, or why it could not be had. */
export type FileText = { readonly text: string } | { readonly fault: string }

export interface ConfigSources {
  readonly flags: ConfigFlags
  readonly environment: Readonly<Record<string, string | undefined>>
  /** The file that `--config` or SHOAL_CONFIG names. */
  readonly file?: { readonly path: string } & FileText
  /** Reads the file that holds the secret. Called at most once. */
  readonly readSecret: (path: string) => FileText
}

export type Origin =
  | { readonly kind: 'flag'; readonly flag: string }
  | { readonly kind: 'variable'; readonly variable: string }
  | { readonly kind: 'file'; readonly path: string; readonly key: string }
  | { readonly kind: 'default' }
  | { readonly kind: 'unset' }

/** What stands somewhere, not read yet. */
export interface Given {
  readonly origin: Origin
  /** A text; in a file whatever TOML has. */
  readonly written: unknown
}

export interface Gathered {
  /** Settings that stand in some source, or have a default. */
  readonly given: ReadonlyMap<SettingId, Given>
  readonly faults: readonly FieldError[]
  /** Settings that seem to be missing may stand in the file that could not be read. */
  readonly isWhole: boolean
}

/** `--listen`, `SHOAL_LISTEN`, `shoal.toml: listen`, `default`. */
export function describeOrigin(origin: Origin): string {
  switch (origin.kind) {
    case 'flag':
      return origin.flag
    case 'variable':
      return origin.variable
    case 'file':
      return `${origin.path}: ${origin.key}`
    case 'default':
      return 'default'
    case 'unset':
      return 'not set'
  }
}

export function gather({ flags, environment, file }: ConfigSources): Gathered {
  const given = new Map<SettingId, Given>()
  const read = readFile(file, flags, environment)
  for (const setting of settings) {
    const found =
      fromFlag(setting, flags) ??
      fromVariable(setting, environment) ??
      fromFile(setting, read.given, file?.path ?? '') ??
      fromDefault(setting)
    if (found !== undefined) given.set(setting.id, found)
  }
  return {
    given,
    faults: [...unknownVariables(environment), ...read.faults],
    isWhole: read.isWhole,
  }
}

function fromFlag({ id, flag }: Setting, flags: ConfigFlags): Given | undefined {
  const value = flags[id]
  if (flag === undefined || value === undefined) return undefined
  return { origin: { kind: 'flag', flag }, written: String(value) }
}

/**
 * A variable that is empty counts as not there: shells and composers cannot always leave it out.
 */
function fromVariable(
  { variable }: Setting,
  environment: ConfigSources['environment'],
): Given | undefined {
  const value = environment[variable] ?? ''
  return value === '' ? undefined : { origin: { kind: 'variable', variable }, written: value }
}

function fromFile(
  { id, key }: Setting,
  given: ReadonlyMap<SettingId, unknown>,
  path: string,
): Given | undefined {
  if (key === undefined || !given.has(id)) return undefined
  return { origin: { kind: 'file', path, key }, written: given.get(id) }
}

const fromDefault = ({ default: text }: Setting): Given | undefined =>
  text === undefined ? undefined : { origin: { kind: 'default' }, written: text }

interface FileRead {
  readonly given: ReadonlyMap<SettingId, unknown>
  readonly faults: readonly FieldError[]
  readonly isWhole: boolean
}

function readFile(
  file: ConfigSources['file'],
  flags: ConfigFlags,
  environment: ConfigSources['environment'],
): FileRead {
  if (file === undefined) return { given: new Map(), faults: [], isWhole: true }
  if ('fault' in file) {
    const named = configPath({ flags, environment })
    const field = named === undefined ? file.path : describeOrigin(named.origin)
    return { given: new Map(), faults: [{ field, message: file.fault }], isWhole: false }
  }
  const { given, faults, isToml } = readToml(file.path, file.text)
  return { given, faults, isWhole: isToml }
}

/** Which file is named, and where. */
export function configPath({
  flags,
  environment,
}: Pick<ConfigSources, 'flags' | 'environment'>): Given | undefined {
  const [setting] = settings.filter(({ id }) => id === 'config')
  return setting && (fromFlag(setting, flags) ?? fromVariable(setting, environment))
}

const known = settings.map(({ variable }) => variable)
/** Variables of ours that are not settings of a node. */
const others = /^SHOAL_(URL$|TOKEN$|TOKEN_FILE$|CA$|TEST_)/

/**
 * What Kubernetes and Docker put into every container for a service called shoal or
 * shoal-something. Their ports are URLs, so `SHOAL_PORT=4100` is still somebody's mistake.
 */
const ofServices = /_(SERVICE_(HOST|PORT(_\w+)?)|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$/

function unknownVariables(environment: ConfigSources['environment']): FieldError[] {
  return Object.entries(environment)
    .filter(([name, value]) => isUnknown(name, value))
    .map(([name]) => ({
      field: name,
      message: `there is no such variable${didYouMean(suggest(name, known))}`,
    }))
}

function isUnknown(name: string, value: string | undefined): boolean {
  if (!name.startsWith('SHOAL_') || value === undefined) return false
  if (known.includes(name) || others.test(name) || ofServices.test(name)) return false
  return !(name.endsWith('_PORT') && /^\w+:\/\//.test(value))
}
