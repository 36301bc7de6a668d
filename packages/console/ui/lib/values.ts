/** Values are any bytes. How to show them, and whether they can be edited as text. */
export interface Shown {
  readonly form: 'text' | 'binary'
  readonly text: string
}

const HEX_BYTES_MAX = 4_096

export function showBytes(body: Uint8Array, type: string): Shown {
  const text = asText(body)
  if (text === undefined) return { form: 'binary', text: hexDump(body) }
  if (!/[/+]json\b/.test(type)) return { form: 'text', text }
  try {
    return { form: 'text', text: JSON.stringify(JSON.parse(text), null, 2) }
  } catch {
    return { form: 'text', text }
  }
}

function asText(body: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(body)
    // Control characters other than tab and line ends: not meant to be read.
    return [...text].some((char) => char < ' ' && !'\t\n\r'.includes(char)) ? undefined : text
  } catch {
    return undefined
  }
}

export function hexDump(body: Uint8Array): string {
  const lines: string[] = []
  const end = Math.min(body.length, HEX_BYTES_MAX)
  for (let at = 0; at < end; at += 16) {
    const row = [...body.subarray(at, Math.min(at + 16, end))]
    const hex = row.map((byte) => byte.toString(16).padStart(2, '0')).join(' ')
    const text = row.map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '.'))
    lines.push(`${at.toString(16).padStart(6, '0')}  ${hex.padEnd(47)}  ${text.join('')}`)
  }
  if (end < body.length) lines.push(`… ${body.length - end} more bytes`)
  return lines.join('\n')
}

export function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (char) => char.charCodeAt(0))
}
