/**
 * Text from elsewhere on its way to a terminal. A control character in it could move the cursor,
 * forge a line, turn the direction of writing around, or change the title of the window.
 */
const CONTROLS = '\\p{Cc}\\p{Zl}\\p{Zp}\\p{Cs}\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069'
const unsafe = new RegExp(`[${CONTROLS}]`, 'u')
const everyUnsafe = new RegExp(`[${CONTROLS}]`, 'gu')

/** As it is, or as a JSON string where that is needed to show it truthfully on one line. */
export const onOneLine = (text: string): string =>
  unsafe.test(text) || text.startsWith('"') ? escaped(JSON.stringify(text)) : text

const escaped = (text: string): string =>
  text.replace(
    everyUnsafe,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )

/**
 * The bytes as text if they can be shown as they are: UTF-8, no controls but tabs and line ends.
 */
export function readableText(bytes: Uint8Array): string | undefined {
  const text = textOf(bytes)
  return text === undefined || unsafe.test(text.replace(/[\t\n\r]/g, '')) ? undefined : text
}

/** The bytes as text, undefined where they are not UTF-8. */
export function textOf(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}
