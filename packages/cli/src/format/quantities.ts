/** Numbers as people read them. */

const byteUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']

/** `0 B`, `1.5 KiB`, `64 MiB`. */
export function formatBytes(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 1_024 && unit < byteUnits.length - 1) {
    value /= 1_024
    unit++
  }
  return `${threeDigits(value)} ${byteUnits[unit]}`
}

/** `0.21 ms`, `12 ms`, `1.5 s`, `4 m 10 s`, `3 h 5 m`, `2 d 4 h`. */
export function formatMillis(ms: number): string {
  if (ms < 1_000) return `${threeDigits(ms)} ms`
  const seconds = ms / 1_000
  if (seconds < 60) return `${threeDigits(seconds)} s`
  const whole = Math.floor(seconds)
  if (whole < 3_600) return `${Math.floor(whole / 60)} m ${whole % 60} s`
  if (whole < 86_400) return `${Math.floor(whole / 3_600)} h ${Math.floor((whole % 3_600) / 60)} m`
  return `${Math.floor(whole / 86_400)} d ${Math.floor((whole % 86_400) / 3_600)} h`
}

/** Thousands in groups: `12,345`. */
export const formatCount = (count: number): string =>
  String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, ',')

/** `0 %`, `3.2 %`, `100 %`. */
export const formatPercent = (share: number): string => `${threeDigits(share * 100)} %`

/** `1 node`, `3 nodes`. */
export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${formatCount(count)} ${count === 1 ? one : many}`

/** Three digits at most where there is a fraction, never an exponent. */
function threeDigits(value: number): string {
  if (value >= 100 || Number.isInteger(value)) return String(Math.round(value))
  const digits = value >= 10 ? 1 : 2
  return String(Number(value.toFixed(digits)))
}
