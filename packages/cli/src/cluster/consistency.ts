import type { Consistency } from '@shoal/client'
import { UsageError } from '../failure.ts'

const levels = ['one', 'quorum', 'all'] as const
type Level = (typeof levels)[number]

const isLevel = (text: string): text is Level => (levels as readonly string[]).includes(text)

/** `quorum;r=1;w=3;strict`, as in the header. The node checks the numbers: only it knows N. */
export function parseConsistency(text: string | undefined): Consistency | undefined {
  if (text === undefined) return undefined
  const [level = '', ...parameters] = text.split(';').map((each) => each.trim())
  if (!isLevel(level)) throw wrong(text, `"${level}" is not one of ${levels.join(', ')}`)
  return Object.assign({ level }, ...parameters.map((each) => parseParameter(each, text)))
}

function parseParameter(parameter: string, whole: string): object {
  if (parameter === 'strict') return { strict: true }
  const [, name, value] = /^(r|w|durable)=(\d{1,3})$/.exec(parameter) ?? []
  if (name !== undefined) return { [name]: Number(value) }
  throw wrong(whole, `"${parameter}" is not one of r=N, w=N, durable=N, strict`)
}

const wrong = (text: string, why: string): UsageError =>
  new UsageError(
    `--consistency ${JSON.stringify(text)}: ${why}`,
    'Examples: one, quorum, all, "quorum;r=1;w=3", "quorum;strict".',
  )
