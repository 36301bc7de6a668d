import { strictEqual } from 'node:assert'

/** The answer, known to be of this kind; fails the test when it is of another. */
export function ofKind<R extends { readonly kind: string }, K extends R['kind']>(
  kind: K,
  answer: R,
): Extract<R, { readonly kind: K }> {
  strictEqual(answer.kind, kind)
  return answer as Extract<R, { readonly kind: K }>
}
