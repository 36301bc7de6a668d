import { keyPath } from './api.ts'

/** A request of the lab, to be taken elsewhere. */
export interface LabRequest {
  readonly operation: 'get' | 'put' | 'delete'
  readonly bucket: string
  readonly key: string
  readonly body: string
  readonly type: string
  readonly consistency: string
  readonly context: string
  /** It goes by a token. That one is in no text: whoever runs it has it in `SHOAL_TOKEN`. */
  readonly hasToken: boolean
}

/** For a shell. */
export function asCurl(origin: string, request: LabRequest): string {
  const { operation, bucket, key, body, type, consistency, context, hasToken } = request
  const headers = [
    ...(consistency === '' ? [] : [`Consistency: ${consistency}`]),
    ...(context === '' || operation === 'get' ? [] : [`Causal-Context: ${context}`]),
    ...(operation === 'put' ? [`Content-Type: ${type}`] : []),
  ]
  return [
    'curl -i',
    ...(operation === 'get' ? [] : [`-X ${operation.toUpperCase()}`]),
    ...(hasToken ? ['-H "Authorization: Bearer $SHOAL_TOKEN"'] : []),
    ...headers.map((header) => `-H ${quote(header)}`),
    ...(operation === 'put' ? [`--data-binary ${quote(body)}`] : []),
    quote(origin + keyPath(bucket, key)),
  ].join(' \\\n  ')
}

/** For a program: with nothing but what every runtime has. */
export function asTypeScript(origin: string, request: LabRequest): string {
  const { operation, bucket, key, body, type, consistency, context, hasToken } = request
  const headers = {
    ...(consistency === '' ? {} : { Consistency: consistency }),
    ...(context === '' || operation === 'get' ? {} : { 'Causal-Context': context }),
    ...(operation === 'put' ? { 'Content-Type': type } : {}),
  }
  const options = [
    ...(operation === 'get' ? [] : [`  method: '${operation.toUpperCase()}',`]),
    ...headersLine(headers, hasToken),
    ...(operation === 'put' ? [`  body: ${JSON.stringify(body)},`] : []),
  ]
  return [
    `const response = await fetch(${JSON.stringify(origin + keyPath(bucket, key))}, {`,
    ...options,
    '})',
    `const context = response.headers.get('Causal-Context')`,
    ...(operation === 'get' ? ['const value = await response.text()'] : []),
  ].join('\n')
}

function headersLine(headers: Readonly<Record<string, string>>, hasToken: boolean): string[] {
  const members = [
    ...(hasToken ? ["Authorization: 'Bearer ' + process.env.SHOAL_TOKEN"] : []),
    ...Object.entries(headers).map(([name, value]) => `'${name}': ${JSON.stringify(value)}`),
  ]
  return members.length === 0 ? [] : [`  headers: { ${members.join(', ')} },`]
}

/** Everything between single quotes is itself in a shell, but the quote. */
const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`
