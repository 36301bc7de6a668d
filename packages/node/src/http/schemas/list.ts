/** Listing keys. */
import { limits } from '@shoal/kernel'
import Type, { type Static } from 'typebox'

export const ListQuery = Type.Object(
  {
    prefix: Type.Optional(Type.String({ description: 'Only keys that begin with this.' })),
    limit: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: limits.listKeysMax,
        default: limits.listKeysDefault,
        description: 'Keys on this page.',
      }),
    ),
    cursor: Type.Optional(
      Type.String({ description: 'Of the last page, with the same bucket and prefix.' }),
    ),
  },
  { additionalProperties: false },
)
export type ListQuery = Static<typeof ListQuery>

export const ListHeaders = Type.Object({
  Consistency: Type.Optional(Type.String({ description: 'As for keys; `one` if absent.' })),
  'X-Consistency': Type.Optional(Type.String({ description: 'Alias of Consistency.' })),
  'Shoal-Timeout': Type.Optional(Type.String({ description: 'Whole milliseconds, 1 to 60,000.' })),
  Accept: Type.Optional(
    Type.String({ description: '`application/x-ndjson` for one key on each line.' }),
  ),
})

export const KeyPage = Type.Object(
  {
    keys: Type.Array(Type.String(), { description: 'In the order of their UTF-8 bytes.' }),
    cursor: Type.Union([Type.String(), Type.Null()], {
      description: 'For the next page; null when there is none.',
    }),
  },
  { title: 'KeyPage' },
)
