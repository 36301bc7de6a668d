/** What stands in answers about keys, taken apart. */
import type { Answer } from './http.ts'

export type Receipt = Readonly<Record<string, string | number>>

/** The `Receipt` dictionary. @throws when it is not one */
export function receiptOf(answer: Answer): Receipt {
  return parseReceipt(answer.header('Receipt'))
}

export function parseReceipt(text: string): Receipt {
  const members = text.split(', ').map((member) => {
    const [, name = '', quoted, bare = ''] = /^([a-z]+)=(?:"([^"]*)"|([\w-]+))$/.exec(member) ?? []
    if (name === '') throw new Error(`not a receipt: ${text}`)
    if (quoted !== undefined) return [name, quoted]
    return [name, /^\d+$/.test(bare) ? Number(bare) : bare]
  })
  return Object.fromEntries(members) as Receipt
}

export interface Sibling {
  readonly etag: string
  readonly type: string
  readonly modified: string
  readonly size: number
  readonly base64: string
}

/** Every value a read showed, with its own ETag: one for 200, several for 300, none for 404. */
export function valuesOf(
  answer: Answer,
): readonly { readonly etag: string; readonly text: string }[] {
  if (answer.status === 404) return []
  if (answer.status === 200) return [{ etag: answer.header('ETag'), text: answer.text }]
  const { siblings } = answer.json() as { siblings: readonly Sibling[] }
  return siblings.map(({ etag, base64 }) => ({
    etag,
    text: Buffer.from(base64, 'base64').toString('utf8'),
  }))
}

/** The texts of all live values, sorted. */
export const textsOf = (answer: Answer): string[] =>
  valuesOf(answer)
    .map(({ text }) => text)
    .sort()

export interface Explanation {
  readonly token: string
  readonly partition: number
  readonly preferenceList: readonly string[]
  readonly fallbacks: readonly string[]
  readonly holders: readonly {
    readonly node: string
    readonly role: string
    readonly etag: string
    readonly dots: readonly string[]
    readonly state: string
  }[]
  readonly hintsOwed: number
}

export const explanationOf = (answer: Answer): Explanation => answer.json() as Explanation
