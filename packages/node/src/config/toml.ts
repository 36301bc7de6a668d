/** The file: TOML, with the keys of the settings and no others. */
import type { FieldError } from '@shoal/kernel'
import { parse, TomlError } from 'smol-toml'
import { isTable } from './members.ts'
import { didYouMean } from './reading.ts'
import { type SettingId, settings } from './schema.ts'
import { suggest } from './suggest.ts'

export interface TomlSettings {
  readonly given: ReadonlyMap<SettingId, unknown>
  readonly faults: readonly FieldError[]
  /** It is TOML. Otherwise nothing in it could be read. */
  readonly isToml: boolean
}

/** Where a key stands: `ttl` in the table `buckets`, or `listen` at the top, in the table ''. */
const homes = new Map<string, Map<string, SettingId>>([['', new Map()]])
for (const { key, id } of settings) {
  if (key === undefined) continue
  const [name = '', home = ''] = key.split('.').reverse()
  homes.set(home, (homes.get(home) ?? new Map<string, SettingId>()).set(name, id))
}
const top = homes.get('') ?? new Map<string, SettingId>()
const topNames = [...top.keys(), ...homes.keys()].filter((name) => name !== '')

/** Settings that have no key of their name here. */
const elsewhere: Readonly<Record<string, string>> = {
  peers: 'list the members in tables, each under a line [[members]]',
  secret: 'a secret does not belong in this file; use secret-file here, or SHOAL_SECRET',
  config: 'a file cannot name another',
}

/** @param path  what the file is called in errors; they never quote what stands in it */
export function readToml(path: string, text: string): TomlSettings {
  const document = parseToml(text)
  if (document instanceof TomlError) {
    const { line, column } = document
    const fault = { field: `${path}:${line}:${column}`, message: reasonOf(document) }
    return { given: new Map(), faults: [fault], isToml: false }
  }
  const given = new Map<SettingId, unknown>()
  const faults: FieldError[] = []
  const complain = (key: string, message: string): void => {
    faults.push({ field: `${path}: ${key}`, message })
  }
  for (const [name, value] of Object.entries(document)) {
    const id = top.get(name)
    const home = name === '' ? undefined : homes.get(name)
    if (id !== undefined) given.set(id, value)
    else if (home === undefined) complain(name, unknownKey(name))
    else if (!isTable(value)) complain(name, `it is a table, written [${name}]`)
    else {
      for (const [inner, each] of Object.entries(value)) {
        const found = home.get(inner)
        if (found !== undefined) given.set(found, each)
        else complain(`${name}.${inner}`, noSuchKey(suggest(inner, [...home.keys()])))
      }
    }
  }
  return { given, faults, isToml: true }
}

function parseToml(text: string): Record<string, unknown> | TomlError {
  try {
    return parse(text)
  } catch (error) {
    if (error instanceof TomlError) return error
    throw error
  }
}

/** Without the lines around the fault, which the library quotes and which might be secret. */
function reasonOf({ message }: TomlError): string {
  const [first = ''] = message.split('\n')
  return first.replace(/^Invalid TOML document: /, '').replace(/\.$/, '')
}

function unknownKey(name: string): string {
  if (Object.hasOwn(elsewhere, name)) return elsewhere[name] ?? ''
  return noSuchKey(suggest(name, topNames) ?? inTable(name))
}

const noSuchKey = (near: string | undefined): string => `there is no such key${didYouMean(near)}`

/** `ttl` at the top was meant to stand in the table `buckets`. */
const inTable = (name: string): string | undefined =>
  settings.find(({ key }) => key?.endsWith(`.${name}`))?.key
