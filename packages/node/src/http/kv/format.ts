/** Answers of the coordinator as header lines. */
import {
  formatConsistency,
  type ReadAnswer,
  type Receipt,
  type WriteAnswer,
} from '@shoal/coordinator'
import type { Millis } from '@shoal/kernel'
import { headerNames } from '@shoal/wire'

/** The `Receipt` header, an RFC 9651 dictionary. Node ids need no escapes. */
export function formatReceipt(receipt: Receipt): string {
  const { n, need, ack, primaries, fallbacks, durable, hinted, repaired, epoch, node } = receipt
  const onDisk = durable === undefined ? '' : `, durable=${durable}`
  const precondition =
    receipt.precondition === undefined ? '' : `, precondition=${receipt.precondition}`
  return (
    `n=${n}, need=${need}, ack=${ack}, primaries=${primaries}, fallbacks=${fallbacks}${onDisk}, ` +
    `hinted=${hinted}, repaired=${repaired}, epoch=${epoch}, node="${node}"${precondition}`
  )
}

let lastSecond = -1
let lastDate = ''

/** An HTTP date. Most requests of a moment share one, so the last is remembered. */
export function httpDate(time: Millis): string {
  const second = Math.floor(time / 1_000)
  if (second !== lastSecond) {
    lastDate = new Date(second * 1_000).toUTCString()
    lastSecond = second
  }
  return lastDate
}

/**
 * The lines every key–value answer has. `etag` is that of what is shown, empty where no value
 * exists: then neither it nor the time stands.
 */
export function answerLines(
  answer: ReadAnswer | WriteAnswer,
  { etag, modified }: { etag: string; modified: Millis },
): string[] {
  const lines = [
    headerNames.causalContext,
    answer.context,
    headerNames.consistency,
    formatConsistency(answer.consistency),
    headerNames.receipt,
    formatReceipt(answer.receipt),
  ]
  if (etag !== '') lines.push(headerNames.etag, etag, headerNames.lastModified, httpDate(modified))
  if (answer.session !== '') lines.push(headerNames.session, answer.session)
  if (answer.traceId !== undefined) lines.push(headerNames.traceId, answer.traceId)
  return lines
}
