/** Options of data commands, as commander hands them over, and what the client wants. */
import type { WriteOptions } from '@shoal/client'
import { parseConsistency } from '../cluster/consistency.ts'
import type { ClusterOptions } from '../program/parts.ts'

export interface DataOptions extends ClusterOptions {
  readonly consistency?: string
  readonly quiet?: true
  readonly trace?: true
}

export interface WritingOptions extends DataOptions {
  readonly context?: string
  readonly ifMatch?: string
  readonly ifNoneMatch?: string
  readonly idempotencyKey?: string
  readonly blind?: true
}

export const writeOptions = (options: WritingOptions): WriteOptions => ({
  consistency: parseConsistency(options.consistency),
  explain: options.trace,
  context: options.context,
  ifMatch: quotedEtag(options.ifMatch),
  ifNoneMatch: quotedEtag(options.ifNoneMatch),
  idempotencyKey: options.idempotencyKey,
})

/** Shells eat the quotes of an ETag; `*` has none. */
export const quotedEtag = (etag: string | undefined): string | undefined =>
  etag === undefined || etag === '*' || etag.includes('"') ? etag : `"${etag}"`
