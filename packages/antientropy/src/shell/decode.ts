import { ShoalError } from '@shoal/kernel'

/** What a peer sent, or undefined when it cannot be read: a malformed answer is no answer. */
export function decodeOrNothing<T>(decode: () => T): T | undefined {
  try {
    return decode()
  } catch (error) {
    if (error instanceof ShoalError) return undefined
    throw error
  }
}
