/** The settings, read: typed values, what people may see of them, and where each came from. */
import type { QuietHours } from '@shoal/antientropy'
import type { Consistency } from '@shoal/coordinator'
import type { FieldError } from '@shoal/kernel'
import type { Address } from './address.ts'
import type { ConfiguredMember } from './members.ts'
import { readText, readTomlValue } from './readers.ts'
import type { Reading } from './reading.ts'
import { type Kind, type KindOf, type SettingId, settingOf, settings } from './schema.ts'
import { describeOrigin, type Gathered, type Given, type Origin } from './sources.ts'

type ValueOf<K extends Kind> = K extends { readonly of: readonly (infer Choice)[] }
  ? Choice
  : K extends { readonly min: number }
    ? number
    : K extends { readonly type: 'switch' }
      ? boolean
      : K extends { readonly type: 'members' }
        ? readonly ConfiguredMember[]
        : K extends { readonly type: 'address' }
          ? Address
          : K extends { readonly type: 'consistency' }
            ? Consistency
            : K extends { readonly type: 'hours' }
              ? readonly QuietHours[]
              : string

export type Values = { readonly [Id in SettingId]?: ValueOf<KindOf<Id>> }

export type Origins = Readonly<Record<SettingId, Origin>>

export interface ConfigValues {
  /** Those that were read: neither missing nor wrong. */
  readonly values: Values
  /** As people may see them; of a wrong value what was written, of a missing one nothing. */
  readonly shown: Readonly<Record<SettingId, string>>
  readonly origins: Origins
  readonly faults: readonly FieldError[]
}

export function readValues({ given, isWhole }: Gathered): ConfigValues {
  const values: Partial<Record<SettingId, unknown>> = {}
  const shown: Partial<Record<SettingId, string>> = {}
  const origins: Partial<Record<SettingId, Origin>> = {}
  const faults: FieldError[] = []
  for (const { id, required, kind } of settings) {
    const one = given.get(id)
    origins[id] = one?.origin ?? { kind: 'unset' }
    shown[id] = ''
    if (one === undefined) {
      if (required && isWhole) faults.push(missing(id))
      continue
    }
    const reading = read(kind, one)
    if ('problems' in reading) {
      faults.push(...faultsAt(one.origin, reading))
      shown[id] = typeof one.written === 'string' ? one.written : ''
    } else {
      values[id] = reading.value
      shown[id] = reading.shown
    }
  }
  // Every id was visited, and each kind has a reader that gives values of its type.
  return { values, shown, origins, faults } as ConfigValues
}

const read = (kind: Kind, { origin, written }: Given): Reading<unknown> =>
  origin.kind === 'file'
    ? readTomlValue(kind, written, origin.path)
    : readText(kind, String(written))

const faultsAt = (
  origin: Origin,
  { problems }: Extract<Reading<unknown>, { problems: unknown }>,
): FieldError[] =>
  problems.map(({ part, message, offset }) => ({
    field: part === undefined ? describeOrigin(origin) : `${describeOrigin(origin)}, ${part}`,
    message,
    ...(offset === undefined ? {} : { offset }),
  }))

/** A setting that has to be given, and all the places for it. */
export function missing(id: SettingId): FieldError {
  const { name, flag, placeholder, variable, key } = settingOf(id)
  const places = [
    ...(flag === undefined ? [] : [`${flag} ${placeholder}`]),
    variable,
    ...(key === undefined ? [] : [`${key} in the file`]),
  ]
  return { field: name, message: `it is missing; give ${places.join(', or ')}` }
}
