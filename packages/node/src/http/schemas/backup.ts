/** Rows as they are stored, for backups. */
import Type, { type Static } from 'typebox'

const Row = Type.Object(
  {
    key: Type.String({ contentEncoding: 'base64', description: 'The row key.' }),
    row: Type.String({ contentEncoding: 'base64', description: 'The row: docs/formats.md.' }),
  },
  { title: 'StoredRow', additionalProperties: false },
)

export const BackupDigests = Type.Object(
  {
    node: Type.String(),
    partition: Type.Integer(),
    digests: Type.String({
      contentEncoding: 'base64',
      description: '8 bytes for each of 1,024 segments.',
    }),
  },
  { title: 'BackupDigests' },
)

export const BackupPageState = Type.Object(
  {
    rows: Type.Array(Row, { description: 'In the order of their keys.' }),
    damaged: Type.Integer({ description: 'Rows left out because they fail their checksums.' }),
    after: Type.Union([Type.String({ contentEncoding: 'base64' }), Type.Null()], {
      description: 'For the next page; null when there is none.',
    }),
  },
  { title: 'BackupPage' },
)

export const RestoreBody = Type.Object(
  { rows: Type.Array(Row, { maxItems: 1_000 }) },
  { title: 'Restore', additionalProperties: false },
)
export type RestoreBody = Static<typeof RestoreBody>

export const RestoreState = Type.Object(
  {
    restored: Type.Integer({ description: 'Rows that a quorum of their replicas has on disk.' }),
    refused: Type.Array(
      Type.Object({ index: Type.Integer(), code: Type.String(), detail: Type.String() }),
    ),
  },
  { title: 'Restored' },
)
