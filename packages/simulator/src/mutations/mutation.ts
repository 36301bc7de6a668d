import { invariant } from '@shoal/kernel'

/**
 * A planted bug. A simulation that never fails proves nothing unless it fails when it should, so
 * each rule of the protocol is broken on purpose, in a line, and the simulation has to notice.
 *
 * Text of the built code is replaced while it is loaded; no file is touched.
 */
export interface Mutation {
  /** Short and for ever: results are kept under it. */
  readonly name: string
  /** The rule it breaks, by its number in the protocol. */
  readonly rule: string
  /** What would go wrong in the field. */
  readonly harm: string
  /** Built file, from `packages`. */
  readonly file: string
  /** Occurs once in the file. */
  readonly find: string
  readonly replace: string
  /**
   * Faults and seams without which it does nothing, any of them: seeds whose plan has none are
   * counted as tried and not run. A kind of fault, `disk full` for one of a disk, or the label of a
   * seam.
   */
  readonly needs?: readonly string[]
}

/** What leaves a record other than it was written. */
export const damage = [
  'disk bit-rot',
  'disk read-error',
  'disk misdirected-write',
  'disk stale-read',
] as const

/**
 * The source with the bug in it.
 *
 * The text must be there exactly once: a refactoring that moves it must not disarm the list without
 * a word.
 */
export function applyMutation({ name, find, replace }: Mutation, source: string): string {
  const parts = source.split(find)
  invariant(parts.length === 2, 'a planted bug has exactly one place in the built code', () => ({
    name,
    places: parts.length - 1,
    find,
  }))
  return parts.join(replace)
}
