import { invariant } from '../invariant.ts'
import { type LimitRelation, limitRelations } from '../limit-relations.ts'
import { type Limits, limits } from '../limits.ts'
import { kibibytes, mebibytes, minutes, seconds } from '../units.ts'
import { page, table } from './markdown.ts'

/**
 * The text of `docs/limits.md`. Values are those of this build; sections and meanings are the
 * comments of the source, which no program keeps.
 *
 * @param source  the text of `limits.ts`
 * @throws InvariantViolation when the source does not list these limits, each with its meaning
 */
export function limitPage(source: string): string {
  const sections = readSections(source)
  const listed = sections.flatMap(({ entries }) => entries.map(({ name }) => name))
  invariant(
    String(listed) === String(Object.keys(limits)),
    'the source lists the limits of this build',
  )
  return page(introduction, ...sections.map(writeSection), relations(limitRelations))
}

interface Entry {
  readonly name: keyof Limits
  readonly isTime: boolean
  readonly meaning: string
}

interface Section {
  readonly title: string
  readonly text: string
  readonly entries: Entry[]
}

const ENTRY = /^ {2}(\w+): (.+),$/
const HEADING = /^ {2}\/\/ ([^.]+)\.(?: (.+))?$/
const isLimit = (name: string): name is keyof Limits => Object.hasOwn(limits, name)

/** Reads the lines between the braces. The formatter keeps each limit on one line. */
function readSections(source: string): readonly Section[] {
  const sections: Section[] = []
  let comment = ''
  for (const line of linesOfTable(source)) {
    const [, title, text = ''] = HEADING.exec(line) ?? []
    if (title !== undefined) sections.push({ title, text, entries: [] })
    const [, name, value = ''] = ENTRY.exec(line) ?? []
    if (name === undefined) {
      comment = title === undefined ? `${comment} ${wordsOf(line)}`.trim() : ''
      continue
    }
    const section = sections.at(-1)
    invariant(section !== undefined && isLimit(name), 'a limit stands in a section', () => name)
    invariant(comment !== '', 'a limit says what it bounds', () => name)
    section.entries.push({
      name,
      isTime: /^(millis|seconds|minutes)\(/.test(value),
      meaning: comment,
    })
    comment = ''
  }
  return sections
}

function linesOfTable(source: string): string[] {
  const lines = source.split('\n')
  return lines.slice(lines.indexOf('export const limits = {') + 1, lines.indexOf('} as const'))
}

/** What a line of a block comment says. */
const wordsOf = (line: string): string =>
  line
    .replace(/^\s*(\/\*\*|\*\/|\*)/, '')
    .replace(/\*\/$/, '')
    .trim()

function writeSection({ title, text, entries }: Section): string {
  const rows = entries.map(({ name, isTime, meaning }) => [
    `\`${name}\``,
    isTime ? timeInWords(limits[name]) : amountInWords(name, limits[name]),
    meaning,
  ])
  const linked = text.replaceAll(/\bdocs\/([\w-]+\.md)/g, '[docs/$1]($1)')
  const head = text === '' ? `## ${title}` : `## ${title}\n\n${linked}`
  return `${head}\n\n${table(['name', 'value', 'meaning'], rows)}`
}

const grouped = (value: number): string => value.toLocaleString('en-US')

/** `1 second`, `2 seconds`. */
const counted = (value: number, noun: string): string =>
  `${grouped(value)} ${value === 1 ? noun.replace(/s$/, '') : noun}`

function timeInWords(millis: number): string {
  if (millis < seconds(1)) return counted(millis, 'milliseconds')
  const isWholeMinutes = millis % minutes(1) === 0
  return isWholeMinutes
    ? counted(millis / minutes(1), 'minutes')
    : counted(millis / seconds(1), 'seconds')
}

/** Parts of a name that do not say what is counted. */
const QUALIFIERS = /(Max|Min|Default|Warn|Kept|InFlight|Refusing)+$/

/** The last word of a name is the unit: `listKeysMax` counts keys. Not every limit has one. */
function amountInWords(name: string, value: number): string {
  const noun = /[A-Za-z][a-z]*$/.exec(name.replace(QUALIFIERS, ''))?.[0].toLowerCase() ?? ''
  if (noun === 'bytes') return bytesInWords(value)
  if (noun === 'chars') return counted(value, 'characters')
  return noun.endsWith('s') ? counted(value, noun) : grouped(value)
}

function bytesInWords(value: number): string {
  if (value % mebibytes(1_024) === 0) return `${grouped(value / mebibytes(1_024))} GiB`
  if (value % mebibytes(1) === 0) return `${grouped(value / mebibytes(1))} MiB`
  if (value % kibibytes(1) === 0) return `${grouped(value / kibibytes(1))} KiB`
  return counted(value, 'bytes')
}

const introduction = `# Limits

<!-- Written by \`npm run docs\` from packages/kernel/src/limits.ts. Change it there. -->

Every queue, cache and size in Shoal is bounded by one of these. Whoever meets a bound is told so:
see [errors](errors.md). Few can be configured; \`shoal config show --origins\` lists those.
A KiB is 1,024 bytes, a MiB 1,024 KiB, a GiB 1,024 MiB.`

const relations = (all: readonly LimitRelation[]): string =>
  [
    '## How they agree',
    'Limits that contradict each other would fail far from here. These hold, or no node starts:',
    all.map(({ rule }) => `- ${rule}`).join('\n'),
  ].join('\n\n')
