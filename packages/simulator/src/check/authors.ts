import { type Bits, noBits, sameBits, union } from './bits.ts'
import { readVersion } from './decode.ts'
import { type MintedWrite, writeOf } from './minted-write.ts'
import type { Tokens } from './tokens.ts'
import { type Copy, type Key, keyText } from './world.ts'

/**
 * What an author had seen, with all that those had seen, and what of it the context says that its
 * write was given.
 */
export interface Seen {
  readonly history: Bits
  readonly named: Bits
}

/** What names all that it should; of a key with contexts that do not, it may name less. */
const both = ({ history, open }: Key, events: Bits): Seen => ({
  history: open ? history.closure(events) : events,
  named: events,
})

/**
 * What the author of a write had seen: what its client was shown with the context it sent, or what
 * the replica held (V7), with what the session had seen (S1).
 */
export function seenByAuthor(tokens: Tokens, write: MintedWrite): Seen {
  const { key, node, record, operation, fail } = write
  if (operation.context) return seenInContext(tokens, write, operation.context)
  const request = record && writeOf(record)
  if (request && request.context !== '') fail('V3', 'it ignores the context that came with it')
  if (operation.blind === 'sibling') return both(key, noBits)
  const copy = key.copies[node.index] as Copy
  const known = copy.damaged ? claimed(write) : copy.running
  const session = request?.session ?? ''
  if (session === '') return both(key, known)
  const events = union(known, tokens.seenBySession(session, key))
  return { history: key.history.closure(events), named: events }
}

function seenInContext(tokens: Tokens, { key, record, fail }: MintedWrite, context: Buffer): Seen {
  const named = key.history.meaning(context).events
  const request = record && writeOf(record)
  if (!request) return both(key, named)
  if (request.context === '') {
    // The state that a precondition was checked against.
    if (!request.precondition) fail('V7', 'it sent no context, and is given one')
    return both(key, named)
  }
  const issued = tokens.issued(request.context)
  if (issued?.key !== key) {
    const whose = issued ? keyText(issued.key) : 'nothing'
    fail('V6', `its context belongs to ${whose}, and is taken`)
    return both(key, named)
  }
  if (!sameBits(named, issued.named)) {
    const was = key.history.names(issued.named)
    fail('V5', `its context is taken for ${key.history.names(named)}, was ${was}`)
  }
  return issued
}

/** Of a copy that was damaged nobody knows what its node knew; what it claims has to do. */
function claimed({ key, result }: MintedWrite): Bits {
  const parts = readVersion(result.version)
  return parts ? key.history.meaning(parts.clock).events : noBits
}
