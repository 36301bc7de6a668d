import { InvariantViolation, ShoalError } from '@shoal/kernel'

/**
 * RocksDB says what went wrong in words, and in a code for few kinds only. Its errors end here:
 * what leaves the store is a ShoalError.
 */
const codeOf = (error: unknown): string | undefined =>
  (error as { code?: string } | undefined)?.code
const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const isNoSpace = (error: unknown): boolean =>
  codeOf(error) === 'ENOSPC' || /No space left on device/.test(textOf(error))

/** A failed write or sync: the store is of no use any more. */
export function writeFailure(cause: unknown): ShoalError {
  if (cause instanceof InvariantViolation) throw cause
  const reason = isNoSpace(cause) ? 'the disk is full' : 'the disk did not take a write'
  return new ShoalError('SHOAL_STORE_FAILED', `${reason}: ${textOf(cause)}`, { cause })
}

/** A failed read. Damage concerns single rows, so others can still be read. */
export function readFailure(error: unknown): unknown {
  if (error instanceof ShoalError || error instanceof InvariantViolation) return error
  const code = codeOf(error) === 'LEVEL_CORRUPTION' ? 'SHOAL_ROW_DAMAGED' : 'SHOAL_STORE_FAILED'
  return new ShoalError(code, textOf(error), { cause: error })
}

/** RocksDB ends a read whose values are more than 2 GiB together. */
export const brokenOff = (keys: number): ShoalError =>
  new ShoalError('SHOAL_STORE_FAILED', `a read of ${keys} keys was broken off`)

/** Why a database could not be opened. */
export function openFailure(error: unknown, path: string): ShoalError {
  const text = textOf(error)
  const fail = (code: ShoalError['code'], reason: string): ShoalError =>
    new ShoalError(code, `${path}: ${reason}`, { cause: error })
  if (codeOf(error) === 'LEVEL_LOCKED')
    return fail('SHOAL_STORE_LOCKED', 'another process has it open')
  if (isNoSpace(error)) return fail('SHOAL_STORAGE_FULL', `no room to recover the log: ${text}`)
  if (/Column families not opened/.test(text)) return fail('SHOAL_STORE_NEWER', text)
  const damaged =
    codeOf(error) === 'LEVEL_CORRUPTION' ||
    /No such file or directory|does not exist|Invalid argument|Not implemented|NotFound/.test(text)
  return fail(damaged ? 'SHOAL_STORE_DAMAGED' : 'SHOAL_STORE_FAILED', text)
}
