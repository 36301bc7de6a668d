/** The routes that backups use. */
import type { Client } from '@shoal/client'
import type { Row } from './frames.ts'
import type { SegmentRun } from './segments.ts'

interface PageState {
  readonly rows: readonly { readonly key: string; readonly row: string }[]
  readonly damaged: number
  readonly after: string | null
}

export interface Page {
  readonly rows: readonly Row[]
  readonly damaged: number
  readonly after: string | undefined
}

export async function readDigests(client: Client, partition: number): Promise<Buffer> {
  const answer = await client.api<{ digests: string }>('GET', `/v1/backup/${partition}/digests`)
  return Buffer.from(answer.body.digests, 'base64')
}

export async function readPage(
  client: Client,
  partition: number,
  { from, to, after }: SegmentRun & { readonly after: string | undefined },
): Promise<Page> {
  const query = new URLSearchParams({ from: `${from}`, to: `${to}` })
  if (after !== undefined) query.set('after', after)
  const { body } = await client.api<PageState>('GET', `/v1/backup/${partition}?${query}`)
  return {
    rows: body.rows.map(({ key, row }) => ({
      key: Buffer.from(key, 'base64'),
      row: Buffer.from(row, 'base64'),
    })),
    damaged: body.damaged,
    after: body.after ?? undefined,
  }
}

export interface Restored {
  readonly restored: number
  readonly refused: readonly { readonly index: number; readonly code: string; detail: string }[]
}

export async function restoreRows(client: Client, rows: readonly Row[]): Promise<Restored> {
  const body = {
    rows: rows.map(({ key, row }) => ({
      key: key.toString('base64'),
      row: row.toString('base64'),
    })),
  }
  return (await client.api<Restored>('POST', '/v1/restore', { body })).body
}
