/** The `Consistency` header: an RFC 9651 item such as `quorum;r=1;w=3;durable=1;strict`. */
import type { Consistency } from '@shoal/coordinator'
import { limits } from '@shoal/kernel'
import { consistencyLevels, consistencyParameters, headerNames } from '@shoal/wire'
import { fieldError } from './fault.ts'
import { HeaderMemory } from './memory.ts'
import { isFault, type Parameter, parseItem } from './structured.ts'

const known = new HeaderMemory((text) => parseConsistency(text))
const knownAlias = new HeaderMemory((text) => parseConsistency(text, headerNames.consistencyAlias))

/** The header of a request, remembered by its text. */
export const readConsistency = (text: string): Consistency => known.read(text)
export const readAlias = (text: string): Consistency => knownAlias.read(text)

/**
 * @param field  what the text is called in errors
 * @throws SHOAL_CONSISTENCY_INVALID  not an item, an unknown level or parameter, a number out of
 * range. Whether r and w fit the N of the bucket is known to the coordinator only.
 */
export function parseConsistency(
  text: string,
  field: string = headerNames.consistency,
): Consistency {
  const item = parseItem(text)
  if (isFault(item)) throw invalid(field, item.offset, item.fault)
  const level = consistencyLevels.find((name) => item.kind === 'token' && name === item.value)
  if (level === undefined) {
    throw invalid(
      field,
      item.offset,
      `a level is one of ${consistencyLevels.join(', ')}`,
      item.value,
    )
  }
  const parameters = lastOfEach(field, item.parameters)
  const r = replicasOf(field, parameters.get('r'), 1)
  const w = replicasOf(field, parameters.get('w'), 1)
  const durable = replicasOf(field, parameters.get('durable'), 0)
  const strict = strictOf(field, parameters.get('strict'))
  if (durable !== undefined && w !== undefined && durable > w) {
    const message = `durable asks for more than the w=${w} acknowledgements`
    throw invalid(field, parameters.get('durable')?.offset ?? 0, message, durable)
  }
  return {
    level,
    strict,
    ...(r === undefined ? {} : { r }),
    ...(w === undefined ? {} : { w }),
    ...(durable === undefined ? {} : { durable }),
  }
}

/** As one would write it in a request; what the text leaves to the bucket stays left out. */
export function formatAsked({ level, r, w, durable, strict }: Consistency): string {
  const number = (name: string, value: number | undefined): string =>
    value === undefined ? '' : `;${name}=${value}`
  const numbers = `${number('r', r)}${number('w', w)}${number('durable', durable)}`
  return `${level}${numbers}${strict ? ';strict' : ''}`
}

export const sameConsistency = (one: Consistency, other: Consistency): boolean =>
  formatAsked(one) === formatAsked(other)

function lastOfEach(field: string, parameters: readonly Parameter[]): Map<string, Parameter> {
  const last = new Map<string, Parameter>()
  for (const parameter of parameters) {
    if (!consistencyParameters.some((name) => name === parameter.name)) {
      const message = `the parameters are ${consistencyParameters.join(', ')}`
      throw invalid(field, parameter.nameOffset, message, parameter.name)
    }
    last.set(parameter.name, parameter)
  }
  return last
}

function replicasOf(
  field: string,
  parameter: Parameter | undefined,
  least: number,
): number | undefined {
  if (parameter === undefined) return undefined
  const { kind, value, name, offset } = parameter
  if (kind === 'integer' && Number(value) >= least && Number(value) <= limits.replicasMax) {
    return Number(value)
  }
  const range = name === 'durable' ? `${least} to w` : `${least} to N, and N is at most`
  const message =
    name === 'durable'
      ? `durable is a whole number, ${range}`
      : `${name} is a whole number, ${range} ${limits.replicasMax}`
  throw invalid(field, offset, message, value)
}

function strictOf(field: string, parameter: Parameter | undefined): boolean {
  if (parameter === undefined) return false
  if (parameter.kind === 'boolean') return parameter.value === true
  throw invalid(field, parameter.offset, 'strict stands alone, or is ?1 or ?0', parameter.value)
}

const invalid = (
  field: string,
  offset: number,
  message: string,
  got?: number | boolean | string,
): Error =>
  fieldError(
    'SHOAL_CONSISTENCY_INVALID',
    { field, offset, message },
    { wanted: WANTED, ...(got === undefined ? {} : { got: String(got) }) },
  )

const WANTED = 'one, quorum or all, with the parameters r, w, strict, durable'
