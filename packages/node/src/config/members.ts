/**
 * The members of a cluster, as one text or as tables of the file:
 * `n1=http://10.0.0.1:4100;zone=a,n2=http://10.0.0.2:4100;zone=b`.
 */
import { limits, type NodeId, nodeId, ShoalError } from '@shoal/kernel'
import { foundRing, type MemberSetting } from '@shoal/ring'
import type { NodeSettings } from '../settings.ts'
import { didYouMean, type Problem, type Reading, wrong } from './reading.ts'
import { suggest } from './suggest.ts'

export type ConfiguredMember = NodeSettings['members'][number]

/** What a member has besides id and URL. */
export const attributes = ['zone', 'host', 'weight', 'peer'] as const
type Attribute = (typeof attributes)[number]

const isAttribute = (name: string): name is Attribute => attributes.some((each) => each === name)

/** Reads the text of a flag or variable. Spaces and line ends around its parts are nothing. */
export function readMembersText(text: string): Reading<readonly ConfiguredMember[]> {
  const problems: Problem[] = []
  const members = piecesOf({ text, offset: 0 }, ',').map((piece) => readMember(piece, problems))
  return judged(members, problems)
}

interface Piece {
  readonly text: string
  readonly offset: number
}

function piecesOf({ text, offset }: Piece, separator: string): Piece[] {
  let at = offset
  return text.split(separator).map((part) => {
    const begin = at + part.length - part.trimStart().length
    at += part.length + separator.length
    return { text: part.trim(), offset: begin }
  })
}

function readMember(piece: Piece, problems: Problem[]): ConfiguredMember {
  const [first = piece, ...more] = piecesOf(piece, ';')
  const { name: id, value: url } = splitPair(first)
  if (id === '' || url === undefined || url === '') {
    const message = 'a member is ID=URL, such as n1=http://10.0.0.1:4100'
    problems.push({ message, offset: first.offset })
  }
  const given = new Map<Attribute, string>()
  for (const each of more) readAttribute(each, { id, given, problems })
  return member({ id, url: url ?? '', ...Object.fromEntries(given) }, problems)
}

function splitPair({ text }: Piece): { name: string; value: string | undefined } {
  const at = text.indexOf('=')
  if (at < 0) return { name: text, value: undefined }
  return { name: text.slice(0, at).trim(), value: text.slice(at + 1).trim() }
}

function readAttribute(
  piece: Piece,
  { id, given, problems }: { id: string; given: Map<Attribute, string>; problems: Problem[] },
): void {
  const { name, value } = splitPair(piece)
  const complain = (message: string): void => {
    problems.push({ part: name === '' ? id : `${id}, ${name}`, message, offset: piece.offset })
  }
  if (!isAttribute(name)) complain(unknownAttribute(name))
  else if (value === undefined || value === '') complain(`it needs a value: ${name}=...`)
  else if (given.has(name)) complain('it is given twice')
  else given.set(name, value)
}

const unknownAttribute = (name: string): string =>
  name === ''
    ? `after ; comes ${listed(attributes)}, with = and a value`
    : `a member has ${listed(attributes)}${didYouMean(suggest(name, attributes))}`

const listed = (words: readonly string[]): string =>
  `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`

/** Reads the tables `[[members]]`. */
export function readMembersTables(tables: unknown): Reading<readonly ConfiguredMember[]> {
  if (!Array.isArray(tables)) return wrong('members are tables, each under a line [[members]]')
  const problems: Problem[] = []
  const members = tables.map((table, index) => readTable(table, index, problems))
  return judged(members, problems)
}

function readTable(table: unknown, index: number, problems: Problem[]): ConfiguredMember {
  const number = `entry ${index + 1}`
  if (!isTable(table)) {
    problems.push({ part: number, message: 'a member is a table with id and url' })
    return member({ id: number, url: '' }, problems)
  }
  const named = Object.hasOwn(table, 'id') ? table.id : undefined
  const id = typeof named === 'string' && named !== '' ? named : number
  const given = new Map<string, string>()
  for (const [name, value] of Object.entries(table)) {
    const message = faultOfEntry(name, value)
    if (message === undefined) given.set(name, String(value))
    else problems.push({ part: `${id}, ${name}`, message })
  }
  for (const name of ['id', 'url']) {
    if (!Object.hasOwn(table, name)) problems.push({ part: `${id}, ${name}`, message: 'missing' })
  }
  return member({ url: '', ...Object.fromEntries(given), id }, problems)
}

const keys = ['id', 'url', ...attributes]

function faultOfEntry(name: string, value: unknown): string | undefined {
  if (!keys.includes(name)) return `a member has ${listed(keys)}${didYouMean(suggest(name, keys))}`
  if (name === 'weight') return typeof value === 'number' ? undefined : 'it is a number'
  if (typeof value !== 'string') return 'it is a string'
  return value === '' && (name === 'id' || name === 'url') ? 'it is empty' : undefined
}

/** Of what TOML has: neither an array nor a date. */
export const isTable = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)

interface Written {
  readonly id: string
  readonly url: string
  readonly zone?: string
  readonly host?: string
  readonly weight?: string
  readonly peer?: string
}

function member(
  { id, url, zone, host, weight, peer }: Written,
  problems: Problem[],
): ConfiguredMember {
  if (weight !== undefined && !/^\d+(\.\d+)?$/.test(weight)) {
    problems.push({ part: `${id}, weight`, message: 'a weight is a number, such as 1 or 0.5' })
  }
  for (const [part, each = ''] of [['url', url] as const, ['peer', peer] as const]) {
    if (holdsCredentials(each)) {
      problems.push({ part: `${id}, ${part}`, message: 'a URL holds no user name or password' })
    }
  }
  return {
    id: nodeId(id),
    url,
    ...(zone === undefined ? {} : { zone }),
    ...(host === undefined ? {} : { host }),
    ...(weight === undefined ? {} : { weight: Number(weight) }),
    ...(peer === undefined ? {} : { peerUrl: peer }),
  }
}

function holdsCredentials(url: string): boolean {
  if (!URL.canParse(url)) return url.includes('@')
  const { username, password } = new URL(url)
  return username !== '' || password !== ''
}

/** What is written well may still not be a cluster. */
function judged(
  members: readonly ConfiguredMember[],
  problems: readonly Problem[],
): Reading<readonly ConfiguredMember[]> {
  const all = problems.length > 0 ? problems : [...ringProblems(members), ...peerProblems(members)]
  if (all.length > 0) return { problems: all }
  return { value: members, shown: formatMembers(members) }
}

/**
 * The ring judges its members itself: one of the fewest partitions is founded on trial.
 *
 * Cost: below a millisecond for ten members.
 */
export function ringProblems(members: readonly MemberSetting[]): Problem[] {
  try {
    foundRing({ secretDigest: '', members, partitions: limits.partitionsMin, replicas: 1 })
    return []
  } catch (error) {
    if (!(error instanceof ShoalError)) throw error
    return (error.details.errors ?? []).map(({ field, message }) => {
      const [, id, part] = /^members\.(.*)\.(\w+)$/s.exec(field) ?? []
      return id === undefined ? { message } : { part: `${id}, ${part}`, message }
    })
  }
}

/** URLs for peers are as those for clients are: an origin each, no two alike. */
function peerProblems(members: readonly ConfiguredMember[]): Problem[] {
  const asMembers = members.flatMap(({ id, peerUrl }): { id: NodeId; url: string }[] =>
    peerUrl === undefined ? [] : [{ id, url: peerUrl }],
  )
  if (asMembers.length === 0) return []
  return ringProblems(asMembers).map(({ part = '', message }) => ({
    part: part.replace(/url$/, 'peer'),
    message,
  }))
}

/** As `readMembersText` reads it. */
export const formatMembers = (members: readonly ConfiguredMember[]): string =>
  members
    .map(({ id, url, zone, host, weight, peerUrl }) => {
      const attribute = (name: Attribute, value: string | number | undefined): string =>
        value === undefined || value === '' ? '' : `;${name}=${value}`
      const labels = `${attribute('zone', zone)}${attribute('host', host)}`
      return `${id}=${url}${labels}${attribute('weight', weight)}${attribute('peer', peerUrl)}`
    })
    .join(',')
