/** What answers about a key look like, as JSON and as lines for people. */
import type { AnswerInfo, Read, StoredValue, Written } from '@shoal/client'
import { textOf } from '../format/plain-text.ts'
import { formatBytes } from '../format/quantities.ts'

export interface Target {
  readonly bucket: string
  readonly key: string
}

export function readToJson(target: Target, read: Read): object {
  switch (read.kind) {
    case 'value':
      return { kind: 'value', ...target, ...infoToJson(read), ...valueToJson(read.value) }
    case 'siblings':
      return {
        kind: 'siblings',
        ...target,
        ...infoToJson(read),
        siblings: read.siblings.map(valueToJson),
      }
    default:
      return { kind: 'absent', ...target, ...infoToJson(read) }
  }
}

export const writtenToJson = (
  kind: 'put' | 'delete',
  target: Target,
  written: Written,
): object => ({
  kind,
  ...target,
  ...infoToJson(written),
  etag: written.etag,
  modified: written.modified?.toISOString(),
})

function infoToJson({ context, consistency, receipt, requestId, node }: AnswerInfo): object {
  return { context, consistency, receipt, requestId, node }
}

/** Text as text, anything else in base64, as in a batch. */
function valueToJson(value: StoredValue): object {
  const bytes = value.bytes()
  const text = textOf(bytes)
  return {
    etag: value.etag,
    type: value.contentType,
    ...(value.contentEncoding === '' ? {} : { encoding: value.contentEncoding }),
    size: value.size,
    modified: value.modified?.toISOString(),
    ...(text === undefined ? { base64: Buffer.from(bytes).toString('base64') } : { value: text }),
  }
}

/** `"5d6e"  text/plain  12 B  2026-01-31T10:20:30.000Z` */
export const describeValue = (value: StoredValue): string =>
  [
    value.etag,
    value.contentType,
    value.contentEncoding,
    formatBytes(value.size),
    value.modified?.toISOString() ?? '',
  ]
    .filter((part) => part !== '')
    .join('  ')
