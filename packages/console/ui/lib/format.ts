/** Numbers as people read them. */

export function bytes(count: number): string {
  if (count < 1_024) return `${count} B`
  const units = ['KiB', 'MiB', 'GiB', 'TiB']
  let [value, unit] = [count / 1_024, 0]
  while (value >= 1_024 && unit < units.length - 1) {
    value /= 1_024
    unit++
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`
}

export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`
  const seconds = Math.floor(ms / 1_000)
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`
  const hours = Math.floor(seconds / 3_600)
  if (hours < 48) return `${hours} h ${Math.floor((seconds % 3_600) / 60)} min`
  return `${Math.floor(hours / 24)} d ${hours % 24} h`
}

export const milliseconds = (ms: number | undefined): string =>
  ms === undefined ? '–' : `${ms < 10 ? ms.toFixed(2) : Math.round(ms)} ms`

export const rate = (perSecond: number): string =>
  perSecond < 10 ? perSecond.toFixed(1) : Math.round(perSecond).toLocaleString('en')

export const percent = (share: number): string => `${Math.round(share * 100)} %`
