/** What stood behind an answer: the `Receipt` header, an RFC 9651 dictionary. */
export interface Receipt {
  /** Replicas the bucket has. */
  readonly n: number
  /** Acknowledgements or answers that were needed. */
  readonly need: number
  /** Those that had come when the answer left: `primaries` + `fallbacks`. */
  readonly ack: number
  readonly primaries: number
  readonly fallbacks: number
  /** Acknowledgements that were on disk. Writes only. */
  readonly durable: number | undefined
  /** Primaries that are owed a hint. */
  readonly hinted: number
  readonly repaired: number
  /** Epoch of the ring that the coordinator used. */
  readonly epoch: number
  /** The coordinator. */
  readonly node: string
  readonly precondition: 'checked' | 'atomic' | undefined
}

/**
 * Reads a `Receipt` header. Unknown members are ignored and missing counts are 0: a receipt
 * informs, so one from a newer server must not fail a write that was done.
 */
export function parseReceipt(text: string): Receipt {
  const members = parseDictionary(text)
  const count = (name: string): number => {
    const value = members.get(name)
    return typeof value === 'number' ? value : 0
  }
  const durable = members.get('durable')
  const precondition = members.get('precondition')
  return {
    n: count('n'),
    need: count('need'),
    ack: count('ack'),
    primaries: count('primaries'),
    fallbacks: count('fallbacks'),
    durable: typeof durable === 'number' ? durable : undefined,
    hinted: count('hinted'),
    repaired: count('repaired'),
    epoch: count('epoch'),
    node: String(members.get('node') ?? ''),
    precondition:
      precondition === 'checked' || precondition === 'atomic' ? precondition : undefined,
  }
}

/** The epoch alone, because every answer is looked at for it. 0 when there is none. */
export function epochOf(receipt: string): number {
  const at = receipt.indexOf('epoch=')
  if (at < 0) return 0
  let epoch = 0
  for (let index = at + 6; index < receipt.length; index++) {
    const digit = receipt.charCodeAt(index) - 48
    if (digit < 0 || digit > 9) break
    epoch = epoch * 10 + digit
  }
  return epoch
}

const member = /([a-z*][a-z0-9_.*-]*)(?:=(?:"((?:[^"\\]|\\.)*)"|([^\s,;]+)))?[^,]*(?:,|$)/gy

function parseDictionary(text: string): Map<string, number | string> {
  const members = new Map<string, number | string>()
  const trimmed = text.replace(/\s*,\s*/g, ',').trim()
  for (const [, name, quoted, bare] of trimmed.matchAll(member)) {
    if (name === undefined) continue
    if (quoted !== undefined) members.set(name, quoted.replace(/\\(.)/g, '$1'))
    else if (bare !== undefined) members.set(name, /^-?\d+$/.test(bare) ? Number(bare) : bare)
    else members.set(name, 1)
  }
  return members
}
