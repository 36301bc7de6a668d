/** The `Receipt` header: an RFC 9651 dictionary of integers, strings and tokens. */
export type Receipt = Readonly<Record<string, string | number>>

const MEMBER =
  /\s*([a-z*][a-z0-9_.*-]*)=(?:(-?\d+)|"((?:[^"\\]|\\.)*)"|([A-Za-z*][^\s,;"]*))\s*(?:,|$)/y

/** What cannot be read ends the receipt: it is for people to look at. */
export function parseReceipt(text: string): Receipt {
  const receipt: Record<string, string | number> = {}
  MEMBER.lastIndex = 0
  for (let match = MEMBER.exec(text); match; match = MEMBER.exec(text)) {
    const [, name = '', integer, string, token] = match
    receipt[name] =
      integer === undefined ? (string?.replace(/\\(.)/g, '$1') ?? token ?? '') : Number(integer)
  }
  return receipt
}

/** In words: what the receipt means for the one who wrote or read. */
export function describeReceipt(receipt: Receipt): string {
  const { ack = 0, need = 0, n = 0, fallbacks = 0, hinted = 0, repaired = 0, durable } = receipt
  const parts = [`${ack} of ${n} replicas answered, ${need} were needed`]
  if (durable !== undefined) parts.push(`${durable} have it on disk`)
  if (Number(fallbacks) > 0) parts.push(`${fallbacks} of them stand in for others`)
  if (Number(hinted) > 0) parts.push(`${hinted} will be told later`)
  if (Number(repaired) > 0) parts.push(`${repaired} were behind and are being repaired`)
  return `${parts.join('; ')}.`
}
