/** The file of tokens: TOML with a table `[[tokens]]` for each, and hashes instead of secrets. */
import { type FieldError, limits, ShoalError } from '@shoal/kernel'
import { parse, TomlError } from 'smol-toml'
import { type Scope, scopes } from './scopes.ts'
import { faultOfPattern, TOKEN_ID, type TokenRecord } from './token.ts'

/**
 * Reads the tokens of a file.
 *
 * @param path  what the file is called in errors; they never quote what stands in it
 * @throws SHOAL_CONFIG_INVALID with everything that is wrong in `details.errors`
 */
export function readTokens(path: string, text: string): readonly TokenRecord[] {
  const { tokens = [], ...others } = parsed(path, text)
  const faults: FieldError[] = Object.keys(others).map((name) => ({
    field: `${path}: ${name}`,
    message: 'there are only tables [[tokens]] in this file',
  }))
  if (!Array.isArray(tokens)) throw refused([{ field: path, message: 'tokens are [[tokens]]' }])
  if (tokens.length > limits.tokensMax) {
    throw refused([{ field: path, message: `it holds more than ${limits.tokensMax} tokens` }])
  }
  const records = tokens.map((table: unknown, index) =>
    readTable(table, (member, message) => {
      faults.push({ field: `${path}: tokens[${index}]${member}`, message })
    }),
  )
  const ids = new Set<string>()
  for (const { id } of records) {
    if (ids.has(id)) faults.push({ field: path, message: `the id ${id} stands there twice` })
    ids.add(id)
  }
  if (faults.length > 0) throw refused(faults)
  return records
}

type Complain = (member: string, message: string) => void

function readTable(table: unknown, complain: Complain): TokenRecord {
  const given =
    typeof table === 'object' && table !== null ? (table as Record<string, unknown>) : {}
  for (const name of Object.keys(given)) {
    if (!members.includes(name)) complain(`.${name}`, `a token has ${members.join(', ')}`)
  }
  const text = (name: string, fits: RegExp, wanted: string): string => {
    const value = given[name]
    if (typeof value === 'string' && fits.test(value)) return value
    complain(`.${name}`, wanted)
    return ''
  }
  return {
    id: text('id', TOKEN_ID, 'it is 8 of a-z 0-9'),
    name: text(
      'name',
      /^[\x21-\x7e](?:[\x20-\x7e]{0,62}[\x21-\x7e])?$/,
      'it is 1 to 64 characters',
    ),
    digest: Buffer.from(text('sha256', /^[0-9a-f]{64}$/, 'it is 64 of 0-9 a-f'), 'hex'),
    scopes: readScopes(given.scopes, complain),
    buckets: readBuckets(given.buckets, complain),
    expires: readExpiry(given.expires, complain),
    rate: readRate(given.rate, complain),
  }
}

const members = ['id', 'name', 'sha256', 'scopes', 'buckets', 'created', 'expires', 'rate']

const isScope = (text: unknown): text is Scope => scopes.some((scope) => scope === text)

function readScopes(value: unknown, complain: Complain): readonly Scope[] {
  if (Array.isArray(value) && value.length > 0 && value.every(isScope)) return [...new Set(value)]
  complain('.scopes', `it is a list of ${scopes.join(', ')}`)
  return []
}

function readBuckets(value: unknown, complain: Complain): readonly string[] {
  const list = Array.isArray(value) ? value : undefined
  if (list === undefined || list.length > limits.tokenBucketsMax) {
    complain(
      '.buckets',
      `it is a list of at most ${limits.tokenBucketsMax}, such as ["carts", "shop-*"]`,
    )
    return []
  }
  for (const pattern of list) {
    const fault = typeof pattern === 'string' ? faultOfPattern(pattern) : 'it is a text'
    if (fault !== undefined) complain('.buckets', fault)
  }
  return list
}

function readExpiry(value: unknown, complain: Complain): number | undefined {
  if (value === undefined) return undefined
  const time = value instanceof Date ? value.getTime() : Number.NaN
  if (Number.isNaN(time)) complain('.expires', 'it is a date with a time, 2027-01-31T00:00:00Z')
  return time
}

function readRate(value: unknown, complain: Complain): number | undefined {
  if (value === undefined) return undefined
  const fits = typeof value === 'number' && value >= 1 && value <= limits.rateMax
  if (!fits) complain('.rate', `it is a number from 1 to ${limits.rateMax}`)
  return fits ? value : undefined
}

function parsed(path: string, text: string): Record<string, unknown> {
  try {
    return parse(text)
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    // The library's message quotes the lines around the fault.
    const field = `${path}:${error.line}:${error.column}`
    throw refused([{ field, message: 'it is not TOML' }])
  }
}

function refused(errors: readonly FieldError[]): ShoalError {
  const [first] = errors
  const message =
    errors.length === 1 ? `${first?.field}: ${first?.message}` : `${errors.length} tokens are wrong`
  return new ShoalError('SHOAL_CONFIG_INVALID', message, { errors })
}

/** One token as it stands in the file. */
export function formatToken(record: TokenRecord, created: Date): string {
  const { id, name, digest, scopes: allowed, buckets, expires, rate } = record
  return [
    '[[tokens]]',
    `id = ${JSON.stringify(id)}`,
    `name = ${JSON.stringify(name)}`,
    `sha256 = "${digest.toString('hex')}"`,
    `scopes = ${listed(allowed)}`,
    `buckets = ${listed(buckets)}`,
    `created = ${created.toISOString()}`,
    ...(expires === undefined ? [] : [`expires = ${new Date(expires).toISOString()}`]),
    ...(rate === undefined ? [] : [`rate = ${rate}`]),
    '',
  ].join('\n')
}

const listed = (texts: readonly string[]): string =>
  `[${texts.map((text) => JSON.stringify(text)).join(', ')}]`

/** The file without one token; everything else, comments included, as it was. */
export function withoutToken(path: string, text: string, id: string): string {
  // What stands before the first token is a part without one; most files have none.
  const parts = text.split(/^(?=\[\[tokens\]\])/m)
  const isIt = (part: string): boolean =>
    part.startsWith('[[tokens]]') && readTokens(path, part)[0]?.id === id
  return parts.filter((part) => !isIt(part)).join('')
}
