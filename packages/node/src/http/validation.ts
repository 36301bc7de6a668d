/** TypeBox schemas as checks that say what is wrong in this API's own words. */
import { type ErrorCode, type FieldError, ShoalError } from '@shoal/kernel'
import type { FastifySchemaCompiler } from 'fastify'
import type { TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import type { TLocalizedValidationError } from 'typebox/error'
import { suggest } from '../config/suggest.ts'

/** @param root  what the value as a whole is called: `body`, or the name of an item */
export function compileCheck(schema: TSchema): (value: unknown, root: string) => FieldError[] {
  const compiled = Compile(schema)
  return (value, root) => {
    if (compiled.Check(value)) return []
    const known = Object.keys((schema as { properties?: object }).properties ?? {})
    const found = compiled.Errors(value).flatMap((error) => toFieldErrors(error, { root, known }))
    return found.slice(0, ERRORS_MAX)
  }
}

const ERRORS_MAX = 8

function toFieldErrors(
  error: TLocalizedValidationError,
  { root, known }: { root: string; known: readonly string[] },
): FieldError[] {
  const field = fieldOf(root, error.instancePath)
  if (error.keyword === 'boolean' || error.keyword === 'anyOf') return []
  if (error.keyword === 'additionalProperties') {
    return error.params.additionalProperties.map((name) => {
      const near = suggest(name, known)
      const message = near === undefined ? 'unknown member' : `unknown; did you mean ${near}?`
      return { field: fieldOf(field, `/${name}`), message }
    })
  }
  if (error.keyword === 'enum') {
    return [{ field, message: `must be one of ${error.params.allowedValues.join(', ')}` }]
  }
  if (error.keyword === 'required') {
    return error.params.requiredProperties.map((name) => ({
      field: fieldOf(field, `/${name}`),
      message: 'is missing',
    }))
  }
  return [{ field, message: error.message }]
}

/** A JSON pointer as one would write it in code: `operations[3].key`. */
function fieldOf(root: string, pointer: string): string {
  const parts = pointer.split('/').slice(1)
  return parts.reduce((path, part) => {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~')
    if (/^\d+$/.test(name)) return `${path}[${name}]`
    return path === '' || path === 'body' || path === 'query' ? name : `${path}.${name}`
  }, root)
}

export function invalid(code: ErrorCode, errors: readonly FieldError[]): ShoalError {
  const [first] = errors
  const detail = first === undefined ? 'malformed' : `${first.field}: ${first.message}`
  return new ShoalError(code, detail, { errors })
}

/**
 * What fastify calls for each part of a request. Paths and headers are read by parsers of their
 * own, which name the character that is wrong; their schemas describe them and check nothing.
 */
export const validatorCompiler: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  if (httpPart === 'params' || httpPart === 'headers') return (value: unknown) => ({ value })
  const check = compileCheck(schema)
  const [code, root] =
    httpPart === 'querystring'
      ? (['SHOAL_QUERY_INVALID', 'query'] as const)
      : (['SHOAL_BODY_INVALID', 'body'] as const)
  return (given: unknown) => {
    const value = httpPart === 'querystring' ? withNumbers(schema, given) : given
    const errors = check(value, root)
    return errors.length === 0 ? { value } : { error: invalid(code, errors) }
  }
}

/** Query parameters that are numbers, where they are written like one. */
function withNumbers(schema: TSchema, query: unknown): unknown {
  const { properties = {} } = schema as { properties?: Record<string, { type?: string }> }
  return Object.fromEntries(
    Object.entries(query as Record<string, string>).map(([name, text]) =>
      properties[name]?.type === 'integer' && wholeNumber.test(text)
        ? [name, Number(text)]
        : [name, text],
    ),
  )
}

const wholeNumber = /^(?:0|[1-9]\d{0,9})$/

/** A document of at most `limits.documentBytesMax` bytes. @throws SHOAL_BODY_INVALID */
export function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(utf8.decode(body))
  } catch (error) {
    const message = error instanceof Error ? error.message : 'not JSON'
    throw invalid('SHOAL_BODY_INVALID', [{ field: 'body', message: message.slice(0, 200) }])
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
