/**
 * Two kinds of failure exist in Shoal. A `ShoalError` is expected: the caller is told what was
 * wanted and what was had. An `InvariantViolation` is a bug or damaged memory: nothing may catch it
 * to carry on, the process stops, because a node that no longer understands its own state can only
 * do harm.
 */
export class InvariantViolation extends Error {
  override readonly name = 'InvariantViolation'
}

/**
 * States a rule that must hold. Stays on in production.
 *
 * @param rule  what must hold, in words ("a coordinator is always a replica")
 * @param seen  the values that broke it; only called on failure, so it may be costly
 * @throws InvariantViolation
 */
export function invariant(held: boolean, rule: string, seen?: () => unknown): asserts held {
  if (held) return
  throw new InvariantViolation(seen ? `${rule}; saw ${describe(seen())}` : rule)
}

/** Marks a case the type system says cannot happen; throws when it does. */
export function unreachable(value: never): never {
  throw new InvariantViolation(`no case for ${describe(value)}`)
}

const DESCRIPTION_CHARS_MAX = 2_000

/** Never throws: what broke the rule matters more than how it prints. */
function describe(value: unknown): string {
  try {
    const text = JSON.stringify(value, (_key, member: unknown) =>
      typeof member === 'bigint' ? `${member}n` : member,
    )
    return (text ?? String(value)).slice(0, DESCRIPTION_CHARS_MAX)
  } catch {
    return 'a value that cannot be printed'
  }
}
