/** Amounts of bytes as people write them: `1048576`, `1024KiB`, `1MiB`. */

const units = { B: 1, KiB: 1_024, MiB: 1_024 ** 2, GiB: 1_024 ** 3 } as const
type Unit = keyof typeof units

const isUnit = (text: string): text is Unit => Object.hasOwn(units, text)

const AMOUNT = /^(\d{1,16}(?:\.\d{1,9})?) ?([A-Za-z]*)$/

/** @returns whole bytes, undefined when the text is no amount or its unit is not one of ours */
export function parseBytes(text: string): number | undefined {
  const [, amount = '', unit = ''] = AMOUNT.exec(text) ?? []
  if (amount === '' || !isUnit(unit || 'B')) return undefined
  const bytes = Number(amount) * units[(unit || 'B') as Unit]
  return Number.isSafeInteger(bytes) ? bytes : undefined
}

/** In the largest unit that leaves a whole number. What it writes, `parseBytes` reads. */
export function formatBytes(bytes: number): string {
  for (const unit of ['GiB', 'MiB', 'KiB'] as const) {
    if (bytes > 0 && bytes % units[unit] === 0) return `${bytes / units[unit]}${unit}`
  }
  return String(bytes)
}
