/** Headers that are one whole number. */
import { type ErrorCode, limits, type Millis, millis } from '@shoal/kernel'
import { headerNames } from '@shoal/wire'
import { fieldError } from './fault.ts'

const digits = /^(?:0|[1-9][0-9]{0,14})$/

/** `Shoal-Timeout`, whole milliseconds. @throws SHOAL_TIMEOUT_INVALID */
export const parseTimeout = (text: string): Millis =>
  millis(
    wholeNumber(text, {
      code: 'SHOAL_TIMEOUT_INVALID',
      field: headerNames.timeout,
      least: limits.timeoutMin,
      most: limits.timeoutMax,
    }),
  )

/** `TTL`, whole seconds. @throws SHOAL_TTL_INVALID */
export const parseTtl = (text: string, field: string = headerNames.ttl): number =>
  wholeNumber(text, { code: 'SHOAL_TTL_INVALID', field, least: 1, most: limits.ttlSecondsMax })

/** Decimal digits without sign, space or leading zero. */
export function wholeNumber(
  text: string,
  { code, field, least, most }: { code: ErrorCode; field: string; least: number; most: number },
): number {
  const value = Number(text)
  if (digits.test(text) && value >= least && value <= most) return value
  const wanted = `a whole number from ${least} to ${most}`
  const offset = Math.max(0, text.search(/[^0-9]/))
  throw fieldError(code, { field, offset, message: `it must be ${wanted}` }, { wanted, got: text })
}
