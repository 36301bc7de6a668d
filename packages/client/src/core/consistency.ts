/** The `Consistency` header, an RFC 9651 item. */

export interface ConsistencyParts {
  readonly level?: string | undefined
  readonly r?: number | undefined
  readonly w?: number | undefined
  readonly durable?: number | undefined
  readonly strict?: boolean | undefined
}

/** Empty for "not given": the bucket's default then holds. */
export function formatConsistency(wish: string | ConsistencyParts | undefined): string {
  if (wish === undefined) return ''
  if (typeof wish === 'string') return wish
  const { level = 'quorum', r, w, durable, strict } = wish
  let text = level
  if (r !== undefined) text += `;r=${r}`
  if (w !== undefined) text += `;w=${w}`
  if (durable !== undefined) text += `;durable=${durable}`
  return strict ? `${text};strict` : text
}
