/** Lines of a running node: for people by default, JSON for machines. */
import type { Output } from '../terminal.ts'

export type LogFormat = 'text' | 'json'
const levels = ['info', 'warn', 'error'] as const
export type Level = (typeof levels)[number]

export interface NodeLog {
  info(details: object, message: string): void
  warn(details: object, message: string): void
  error(details: object, message: string): void
}

export interface LogSettings {
  readonly format: LogFormat
  /** The least that is written. */
  readonly level: Level
}

export function createLog(out: Output, { format, level: least }: LogSettings): NodeLog {
  const writer =
    (level: Level) =>
    (details: object, message: string): void => {
      if (levels.indexOf(level) < levels.indexOf(least)) return
      const entry = { time: new Date(), level, message, details }
      out.line(format === 'json' ? jsonLine(entry) : textLine(entry, out.paint))
    }
  return { info: writer('info'), warn: writer('warn'), error: writer('error') }
}

interface Entry {
  readonly time: Date
  readonly level: Level
  readonly message: string
  readonly details: object
}

export const jsonLine = ({ time, level, message, details }: Entry): string =>
  JSON.stringify({ time: time.toISOString(), level, msg: message, ...withPlainErrors(details) })

/** An `Error` has no members of its own that JSON would show. */
const withPlainErrors = (details: object): object =>
  Object.fromEntries(
    Object.entries(details).map(([name, value]) => [
      name,
      value instanceof Error ? { message: value.message, stack: value.stack } : value,
    ]),
  )

/** `10:20:30.123 warn  peers: refused  peer=n2 reason="wrong secret"` */
export function textLine(
  { time, level, message, details }: Entry,
  paint: Pick<Output['paint'], 'dim' | 'yellow' | 'red'>,
): string {
  const shade = { info: paint.dim, warn: paint.yellow, error: paint.red }[level]
  const parts = Object.entries(details)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${wordOf(value)}`)
  const clock = paint.dim(time.toISOString().slice(11, 23))
  return [`${clock} ${shade(level.padEnd(5))} ${message}`, ...parts].join('  ')
}

function wordOf(value: unknown): string {
  if (value instanceof Error) return JSON.stringify(value.message)
  if (typeof value === 'string' && /^[\w./:@+-]+$/.test(value)) return value
  return JSON.stringify(value) ?? String(value)
}
