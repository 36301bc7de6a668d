/** Holds answers against the document that the node itself gives of its API. */
import type { Answer } from './http.ts'

interface Schema {
  readonly type?: string | readonly string[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean | Schema
  readonly items?: Schema
  readonly anyOf?: readonly Schema[]
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly pattern?: string
  readonly minimum?: number
}

interface ResponseDocument {
  readonly description: string
  readonly headers?: Readonly<Record<string, unknown>>
  readonly content?: Readonly<Record<string, { readonly schema?: Schema }>>
}

export interface OperationDocument {
  readonly operationId: string
  readonly summary: string
  readonly parameters?: readonly { readonly in: string; readonly name: string }[]
  readonly responses: Readonly<Record<string, ResponseDocument>>
}

export interface ApiDocument {
  readonly openapi: string
  readonly info: { readonly title: string; readonly version: string }
  readonly paths: Readonly<Record<string, Readonly<Record<string, OperationDocument>>>>
}

/** `GET /v1/kv/{bucket}` and so on, in order. */
export const operationsOf = ({ paths }: ApiDocument): string[] =>
  Object.entries(paths)
    .flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    )
    .sort()

/** What an answer has or is that its description does not say. */
export function departures(operation: OperationDocument, method: string, answer: Answer): string[] {
  const described = operation.responses[String(answer.status)]
  if (described === undefined) return [`status ${answer.status} is not described: ${answer.text}`]
  const faults: string[] = []
  for (const name of Object.keys(described.headers ?? {})) {
    if (!mayBeAbsent.has(name) && answer.header(name) === '') faults.push(`${name} is missing`)
  }
  if (method === 'HEAD' || answer.body.length === 0) return faults
  const type = answer.header('Content-Type').split(';', 1)[0] ?? ''
  const forms = described.content ?? {}
  const form = forms[type] ?? forms['*/*']
  if (form === undefined) return [...faults, `${type} is not described for ${answer.status}`]
  if (/[/+]json$/.test(type) && form.schema !== undefined) {
    faults.push(...mismatches(form.schema, answer.json(), 'body'))
  }
  if (type === 'application/problem+json') {
    const { code } = answer.json() as { code: string }
    if (!described.description.includes(code)) faults.push(`${code} is not described`)
  }
  return faults
}

/** They stand only where the request or the state gives them a meaning. */
const mayBeAbsent = new Set([
  'Shoal-Session',
  'Trace-Id',
  'ETag',
  'Last-Modified',
  'Siblings',
  'Preference-Applied',
  'Retry-After',
])

function* mismatches(schema: Schema, value: unknown, at: string): Generator<string> {
  if (schema.anyOf !== undefined) {
    const fits = schema.anyOf.some((each) => [...mismatches(each, value, at)].length === 0)
    if (!fits) yield `${at} fits none of its forms`
    return
  }
  if (schema.enum !== undefined && !schema.enum.includes(value)) yield `${at} is ${value}`
  if (schema.const !== undefined && schema.const !== value) yield `${at} is ${value}`
  const types = [schema.type ?? []].flat()
  if (types.length > 0 && !types.some((type) => isOf(type, value))) {
    yield `${at} is not ${types.join(' or ')}: ${JSON.stringify(value)}`
    return
  }
  if (schema.pattern !== undefined && !new RegExp(schema.pattern).test(String(value))) {
    yield `${at} does not match ${schema.pattern}: ${value}`
  }
  if (schema.minimum !== undefined && Number(value) < schema.minimum) yield `${at} is ${value}`
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      if (schema.items !== undefined) yield* mismatches(schema.items, item, `${at}[${index}]`)
    }
  } else if (typeof value === 'object' && value !== null) {
    yield* memberMismatches(schema, value as Readonly<Record<string, unknown>>, at)
  }
}

function* memberMismatches(
  schema: Schema,
  value: Readonly<Record<string, unknown>>,
  at: string,
): Generator<string> {
  const { properties = {}, required = [], additionalProperties } = schema
  for (const name of required) if (!(name in value)) yield `${at}.${name} is missing`
  for (const [name, member] of Object.entries(value)) {
    const known = properties[name]
    if (known !== undefined) yield* mismatches(known, member, `${at}.${name}`)
    else if (additionalProperties === false) yield `${at}.${name} is not described`
  }
}

function isOf(type: string, value: unknown): boolean {
  switch (type) {
    case 'null':
      return value === null
    case 'array':
      return Array.isArray(value)
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value)
    case 'integer':
      return Number.isInteger(value)
    default:
      return typeof value === type
  }
}
