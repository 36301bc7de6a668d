/** `?scope=`: whether a route tells of its node alone, or of all that answer. */
import Type from 'typebox'
import { fieldError } from '../headers/fault.ts'

const scopes = ['node', 'cluster'] as const

export const scopeQuery = Type.Object({
  scope: Type.Optional(
    Type.String({ enum: [...scopes], description: 'This node, or all that answer.' }),
  ),
})

/** @throws SHOAL_QUERY_INVALID */
export function checkScope(scope: string | undefined): (typeof scopes)[number] {
  const known = scopes.find((each) => each === (scope ?? 'node'))
  if (known) return known
  const message = `one of ${scopes.join(', ')}`
  const place = { field: 'scope', offset: 0, message }
  throw fieldError('SHOAL_QUERY_INVALID', place, { wanted: scopes.join(', '), got: scope ?? '' })
}
