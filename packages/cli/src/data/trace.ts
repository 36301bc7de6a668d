/** What happened to one request on its way, as its coordinator noted it. */
import type { AnswerInfo, Client } from '@shoal/client'
import { readTrace, type Trace } from '../cluster/state.ts'
import { formatMillis } from '../format/quantities.ts'
import type { Paint } from '../terminal.ts'

/** An answer, and the trace of it where one was asked for. */
export interface Traced<A extends AnswerInfo> {
  readonly answer: A
  readonly trace: Trace | undefined
}

export async function traced<A extends AnswerInfo>(
  client: Client,
  answering: Promise<A>,
): Promise<Traced<A>> {
  const answer = await answering
  const { traceId } = answer
  return { answer, trace: traceId === undefined ? undefined : await readTrace(client, traceId) }
}

export function traceLines(trace: Trace | undefined, paint: Paint): string[] {
  if (trace === undefined) return []
  const width = Math.max(0, ...trace.events.map(({ node }) => node.length))
  return [
    `trace ${trace.id} of ${trace.node}`,
    ...trace.events.map(({ at, node, event, detail }) => {
      const time = paint.dim(formatMillis(at).padStart(8))
      return [time, node.padEnd(width), event, detail].join('  ').trimEnd()
    }),
  ]
}
