/** `shoal list`. */

import { limits } from '@shoal/kernel'
import { withClient } from '../cluster/connection.ts'
import { parseConsistency } from '../cluster/consistency.ts'
import type { DataOptions } from '../data/options.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { onOneLine } from '../format/plain-text.ts'
import { shellLine } from '../format/shell-line.ts'
import type { Io } from '../terminal.ts'

interface Options extends DataOptions {
  readonly prefix?: string
  readonly limit?: number
  readonly cursor?: string
}

/** Prints pages as they come, so that a bucket of any size needs the memory of one page. */
export async function list(io: Io, bucket: string, options: Options): Promise<ExitCode> {
  const { out, err } = io
  const most = options.limit ?? Number.POSITIVE_INFINITY
  const cursor = await withClient(options, async (client) => {
    let left = most
    let from = options.cursor
    do {
      const page = await client
        .list(bucket, {
          prefix: options.prefix,
          cursor: from,
          pageSize: Math.min(left, limits.listKeysMax),
          consistency: parseConsistency(options.consistency),
        })
        .pages()
        .next()
      const { keys = [], cursor = undefined } = page.value ?? {}
      const lines = keys.map((key) => (options.json ? JSON.stringify({ key }) : onOneLine(key)))
      if (lines.length > 0) await out.write(`${lines.join('\n')}\n`)
      left -= keys.length
      from = cursor
    } while (from !== undefined && left > 0)
    return from
  })
  if (options.json) out.line(JSON.stringify({ cursor: cursor ?? null }))
  else if (cursor !== undefined) {
    err.line(`more: ${shellLine(['shoal', 'list', bucket, '--cursor', cursor])}`)
  }
  return exitCodes.done
}
