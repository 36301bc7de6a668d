/** How each kind of setting is written, as text and in the file. */
import { dirname, isAbsolute, join } from 'node:path'
import { nodeId, ShoalError, unreachable } from '@shoal/kernel'
import { formatAsked, parseConsistency } from '../http/headers/consistency.ts'
import { excerpt } from '../http/headers/fault.ts'
import { readAddress } from './address.ts'
import { formatBytes, parseBytes } from './bytes.ts'
import { hoursWanted, readHours } from './hours.ts'
import { isTable, readMembersTables, readMembersText, ringProblems } from './members.ts'
import { didYouMean, type Reading, wrong } from './reading.ts'
import type { Kind } from './schema.ts'
import { suggest } from './suggest.ts'

/** Reads what stands in a flag, a variable or the table of defaults. */
export function readText(kind: Kind, text: string): Reading<unknown> {
  switch (kind.type) {
    case 'node id':
      return readNodeId(text)
    case 'address':
      return readAddress(text)
    case 'path':
      return readPath(text)
    case 'secret':
      return { value: text, shown: '(hidden)' }
    case 'members':
      return readMembersText(text)
    case 'consistency':
      return readConsistency(text)
    case 'hours':
      return readHours(text)
    case 'switch':
      return readSwitch(text)
    case 'choice':
      return readChoice(text, kind.of)
    case 'whole':
    case 'power of two':
      return readWhole(text, kind)
    case 'bytes':
      return readBytes(text, kind)
    default:
      return unreachable(kind)
  }
}

/**
 * Reads a value of the file.
 *
 * @param file  its path: relative paths in it start from its folder
 */
export function readTomlValue(kind: Kind, value: unknown, file: string): Reading<unknown> {
  if (kind.type === 'members') return readMembersTables(value)
  if (kind.type === 'switch') {
    return typeof value === 'boolean' ? readText(kind, String(value)) : unfit(kind, value)
  }
  if (kind.type === 'hours' && Array.isArray(value)) return readHoursArray(value)
  const isNumber = kind.type === 'whole' || kind.type === 'power of two'
  if (typeof value === 'number' && (isNumber || kind.type === 'bytes')) {
    return readText(kind, String(value))
  }
  if (typeof value !== 'string' || isNumber) return unfit(kind, value)
  const isRelative = kind.type === 'path' && value !== '' && !isAbsolute(value)
  return readText(kind, isRelative ? join(dirname(file), value) : value)
}

const unfit = (kind: Kind, value: unknown): Reading<never> =>
  wrong(`it is ${wantedOf(kind)}, not ${typeWord(value)}`)

/** No hours at all are a list without any; a text would have to name some. */
function readHoursArray(all: readonly unknown[]): Reading<unknown> {
  const odd = all.find((each) => typeof each !== 'string')
  if (odd !== undefined) return unfit({ type: 'hours' }, odd)
  return all.length === 0 ? { value: [], shown: '' } : readHours(all.join(','))
}

function typeWord(value: unknown): string {
  if (Array.isArray(value)) return 'an array'
  if (isTable(value)) return 'a table'
  return typeof value === 'object' ? 'a date' : `a ${typeof value}`
}

/** What a value has to be, in words. */
export function wantedOf(kind: Kind): string {
  switch (kind.type) {
    case 'node id':
      return 'the id of a node'
    case 'address':
      return 'HOST:PORT'
    case 'path':
      return 'a path'
    case 'secret':
      return 'a secret'
    case 'members':
      return 'ID=URL with attributes, separated by commas'
    case 'consistency':
      return 'a consistency, such as quorum;r=1'
    case 'hours':
      return hoursWanted
    case 'switch':
      return 'true or false'
    case 'choice':
      return `${kind.of.slice(0, -1).join(', ')} or ${kind.of.at(-1)}`
    case 'whole':
      return `a whole number from ${grouped(kind.min)} to ${grouped(kind.max)}`
    case 'power of two':
      return `a power of two from ${grouped(kind.min)} to ${grouped(kind.max)}`
    case 'bytes':
      return `an amount from ${formatBytes(kind.min)} to ${formatBytes(kind.max)}`
    default:
      return unreachable(kind)
  }
}

const grouped = (value: number): string => value.toLocaleString('en-US')

const refused = (kind: Kind, text: string): Reading<never> =>
  wrong(`it is ${wantedOf(kind)}, not ${JSON.stringify(excerpt(text))}`)

/** What an id may look like is for the ring to say. */
function readNodeId(text: string): Reading<string> {
  const problems = ringProblems([{ id: nodeId(text), url: 'http://localhost' }])
  if (problems.length === 0) return { value: text, shown: text }
  return { problems: problems.map(({ message }) => ({ message })) }
}

/** Never shown in errors: it might be a secret in the wrong place. */
function readPath(text: string): Reading<string> {
  if (text === '') return wrong('it is empty')
  return text.includes('\0') ? wrong('a path has no NUL') : { value: text, shown: text }
}

function readConsistency(text: string): Reading<unknown> {
  try {
    const value = parseConsistency(text)
    return { value, shown: formatAsked(value) }
  } catch (error) {
    if (!(error instanceof ShoalError)) throw error
    const [{ message, offset } = { message: error.message, offset: undefined }] =
      error.details.errors ?? []
    return wrong(message, offset)
  }
}

function readSwitch(text: string): Reading<boolean> {
  if (text === 'true' || text === '1') return { value: true, shown: 'true' }
  if (text === 'false' || text === '0') return { value: false, shown: 'false' }
  return refused({ type: 'switch' }, text)
}

function readChoice(text: string, choices: readonly string[]): Reading<string> {
  if (choices.includes(text)) return { value: text, shown: text }
  const near = suggest(text, choices)
  const wanted = wantedOf({ type: 'choice', of: choices })
  return wrong(`it is ${wanted}, not ${JSON.stringify(excerpt(text))}${didYouMean(near)}`)
}

interface Bounds {
  readonly min: number
  readonly max: number
}

function readWhole(text: string, kind: Kind & Bounds): Reading<number> {
  const value = /^(0|[1-9]\d{0,14})$/.test(text) ? Number(text) : Number.NaN
  const fits = kind.type !== 'power of two' || Number.isInteger(Math.log2(value))
  if (!fits || !within(value, kind)) return refused(kind, text)
  return { value, shown: String(value) }
}

function readBytes(text: string, kind: Kind & Bounds): Reading<number> {
  const value = parseBytes(text) ?? Number.NaN
  if (within(value, kind)) return { value, shown: formatBytes(value) }
  const wanted = `${wantedOf(kind)}, in B, KiB, MiB or GiB`
  return wrong(`it is ${wanted}, not ${JSON.stringify(excerpt(text))}`)
}

/** Written so that NaN is not. */
const within = (value: number, { min, max }: Bounds): boolean => value >= min && value <= max
