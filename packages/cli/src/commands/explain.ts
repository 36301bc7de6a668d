/** `shoal explain`. */
import { withClient } from '../cluster/connection.ts'
import { type Explanation, type Holder, readExplanation } from '../cluster/state.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { onOneLine } from '../format/plain-text.ts'
import { plural } from '../format/quantities.ts'
import { tableLines } from '../format/table.ts'
import type { ClusterOptions } from '../program/parts.ts'
import type { Io, Paint } from '../terminal.ts'

export async function explain(
  { out }: Io,
  bucket: string,
  key: string,
  options: ClusterOptions & { readonly proof?: true },
): Promise<ExitCode> {
  const found = await withClient(options, (client) =>
    readExplanation(client, bucket, key, options.proof),
  )
  if (options.json) out.json({ bucket, key, ...found })
  else out.lines([onOneLine(`${bucket}/${key}`), ...explanationLines(found, out.paint)])
  return exitCodes.done
}

export function explanationLines(found: Explanation, paint: Paint): string[] {
  const { token, partition, preferenceList, fallbacks, holders, hintsOwed } = found
  const columns = [
    { title: 'node' },
    { title: 'role' },
    { title: 'holds' },
    { title: 'etag' },
    { title: 'dots' },
  ]
  const rows = holders.map(({ node, role, state, etag, dots }) => [
    { text: node, paint: paint.bold },
    role,
    { text: state, paint: paintOf(state, paint) },
    etag === '' ? '-' : etag,
    dots.length === 0 ? '-' : dots.join(' '),
  ])
  return [
    `token ${token}, partition ${partition}`,
    `preference list: ${preferenceList.join(', ')}`,
    ...(fallbacks.length === 0 ? [] : [`stand-ins: ${fallbacks.join(', ')}`]),
    '',
    ...tableLines(columns, rows, paint.dim),
    '',
    ...proofLines(found),
    `${agreement(holders)}${hintsOwed === 0 ? '' : `; ${plural(hintsOwed, 'hint')} owed`}`,
  ]
}

const proofLines = ({ proofs = [] }: Explanation): string[] =>
  proofs.map(({ node, verdict, root }) => {
    const tree = root === undefined ? '' : `, root ${root.slice(0, 16)}`
    return `${node}: ${proofWords[verdict] ?? verdict}${tree}`
  })

const proofWords: Readonly<Record<string, string>> = {
  proven: 'what it holds is in its tree',
  absent: 'it holds nothing, and its tree agrees',
  broken: 'its rows and its tree disagree: shoal repair --wait puts that right',
  unanswered: 'it could not show it now',
}

function paintOf(state: string, paint: Paint): (text: string) => string {
  if (state === 'unreachable' || state === 'damaged') return paint.red
  return state === 'siblings' ? paint.yellow : (text) => text
}

/** Whether the nodes that answered hold the same: their ETags name all live values. */
function agreement(holders: readonly Holder[]): string {
  const answered = holders.filter(
    ({ role, state }) => role === 'primary' && state !== 'unreachable' && state !== 'damaged',
  )
  if (answered.length === 0) return 'no replica answered'
  const contents = new Set(answered.map(({ etag, dots }) => `${etag} ${[...dots].sort().join()}`))
  const silent = holders.length - holders.filter(({ state }) => state !== 'unreachable').length
  const others = silent === 0 ? '' : `, ${silent} did not answer`
  return contents.size === 1
    ? `${plural(answered.length, 'replica')} agree${others}`
    : `replicas differ: the next read repairs them${others}`
}
