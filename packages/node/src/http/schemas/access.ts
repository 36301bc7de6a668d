/** What the OpenAPI document says of who may ask. */
import type { Access } from '../../security/scopes.ts'
import { problems, type ResponseDocument } from './common.ts'

/** The scheme that `security` of each route names. */
export const tokenScheme = {
  token: {
    type: 'http',
    scheme: 'bearer',
    description: 'A token with the scope named, where the node asks for tokens.',
  },
} as const

const refusals = problems('SHOAL_UNAUTHENTICATED', 'SHOAL_FORBIDDEN', 'SHOAL_RATE_LIMITED')

/** The schema of a route with the answers of its guard. */
export function describeAccess(schema: object | undefined, access: Access): object | undefined {
  if (schema === undefined || !('response' in schema) || access === 'open') return schema
  const response = { ...(schema.response as Record<string, ResponseDocument>) }
  for (const [status, refusal] of Object.entries(refusals)) {
    const own = response[status]
    response[status] =
      own === undefined
        ? refusal
        : { ...own, description: `${own.description} ${refusal.description}` }
  }
  return { ...schema, response, security: [{ token: access === 'token' ? [] : [access] }] }
}
