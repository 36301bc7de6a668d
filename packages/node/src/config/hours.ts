/** Hours of the day, in UTC: `08:00-20:00`, and around midnight `22:00-06:00`. */
import type { QuietHours } from '@shoal/antientropy'
import { limits } from '@shoal/kernel'
import { excerpt } from '../http/headers/fault.ts'
import { type Reading, wrong } from './reading.ts'

const SPAN = /^([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|24:00)$/
const MINUTES_A_DAY = 1_440

export const hoursWanted = 'hours of the day in UTC, such as 08:00-20:00, separated by commas'

/** Several, separated by commas. */
export function readHours(text: string): Reading<readonly QuietHours[]> {
  const parts = text.split(',').map((part) => part.trim())
  if (parts.length > limits.quietSpansMax) {
    return wrong(`it is at most ${limits.quietSpansMax} spans of hours, not ${parts.length}`)
  }
  const spans: QuietHours[] = []
  for (const part of parts) {
    const span = readSpan(part)
    if (span === undefined) {
      return wrong(`it is ${hoursWanted}, not ${JSON.stringify(excerpt(part))}`)
    }
    if (span.fromMinute === span.toMinute) {
      return wrong(`${part} has no length; for the whole day write 00:00-24:00`)
    }
    spans.push(span)
  }
  return { value: spans, shown: spans.map(formatHours).join(',') }
}

function readSpan(text: string): QuietHours | undefined {
  const [whole, fromHour, fromMinute, toHour, toMinute] = SPAN.exec(text) ?? []
  if (whole === undefined) return undefined
  return {
    fromMinute: Number(fromHour) * 60 + Number(fromMinute),
    toMinute: toHour === undefined ? MINUTES_A_DAY : Number(toHour) * 60 + Number(toMinute),
  }
}

export const formatHours = ({ fromMinute, toMinute }: QuietHours): string =>
  `${clock(fromMinute)}-${clock(toMinute)}`

const clock = (minute: number): string =>
  [Math.floor(minute / 60), minute % 60].map((part) => String(part).padStart(2, '0')).join(':')
