/** What a person sees once a local cluster serves. */
import { formatMillis, plural } from '../format/quantities.ts'
import { tableLines } from '../format/table.ts'
import type { Paint } from '../terminal.ts'
import type { PlannedNode } from './plan.ts'

export interface Banner {
  readonly nodes: readonly PlannedNode[]
  readonly tookMs: number
  readonly data: string
  readonly isTemporary: boolean
  /** Pages that the first node serves: name and URL. */
  readonly pages: readonly (readonly [string, string])[]
  readonly chaosUrl: string | undefined
  /** Whoever tries the commands has one in `SHOAL_TOKEN`. */
  readonly asksForTokens: boolean
}

export function bannerLines(banner: Banner, paint: Paint): string[] {
  const { nodes, tookMs, data, isTemporary, pages, chaosUrl, asksForTokens } = banner
  const first = nodes[0]?.url ?? ''
  const last = nodes.at(-1)?.url ?? ''
  const rows = [
    ...nodes.map(({ id, url }) => [{ text: id, paint: paint.bold }, url]),
    ['data', `${data} (${isTemporary ? 'gone when this ends' : 'kept'})`],
    ...pages.map(([name, url]) => [name, url]),
    ...(chaosUrl === undefined ? [] : [['chaos', `${chaosUrl}/nodes`]]),
  ]
  const [, ...lines] = tableLines([{ title: '' }, { title: '' }], rows)
  const key = '/v1/kv/carts/42'
  const curl = asksForTokens ? 'curl -i -H "Authorization: Bearer $SHOAL_TOKEN"' : 'curl -i'
  return [
    '',
    paint.green(`${plural(nodes.length, 'node')} ready in ${formatMillis(tookMs)}`),
    '',
    ...lines.map((line) => `  ${line}`),
    '',
    'Try:',
    `  ${curl} -X PUT -H 'Content-Type: text/plain' --data-binary milk ${first}${key}`,
    `  ${curl} ${last}${key}`,
    '',
    paint.dim('Ctrl-C stops it.'),
    '',
  ]
}

/** Which of the pages for people this build of the node has. */
export async function pagesOf(url: string): Promise<[string, string][]> {
  const known: readonly [string, string][] = [
    ['console', `${url}/ui`],
    ['docs', `${url}/docs`],
  ]
  const there = await Promise.all(known.map(([, page]) => answers(page)))
  return known.filter((_, index) => there[index])
}

const PAGE_TIMEOUT_MS = 1_000

async function answers(page: string): Promise<boolean> {
  try {
    const response = await fetch(page, { signal: AbortSignal.timeout(PAGE_TIMEOUT_MS) })
    await response.body?.cancel()
    return response.ok
  } catch {
    return false
  }
}
