import {
  type CatalogueEntry,
  type ErrorCode,
  errorCatalogue,
  isErrorCode,
  ShoalError,
  toProblem,
} from '../errors.ts'
import { invariant } from '../invariant.ts'
import { page, table } from './markdown.ts'

/**
 * The text of `docs/errors.md`.
 *
 * @throws InvariantViolation when a code of the catalogue belongs to no section or to two
 */
export function errorPage(): string {
  const codes = Object.keys(errorCatalogue).filter(isErrorCode)
  for (const code of codes) {
    const homes = sections.filter(({ holds }) => holds(code, errorCatalogue[code]))
    invariant(homes.length === 1, 'every error stands in one section', () => ({ code, homes }))
  }
  const written = sections.map(({ title, text, holds }) => {
    const own = codes.filter((code) => holds(code, errorCatalogue[code]))
    return [`## ${title}`, text, tableOf(own)].join('\n\n')
  })
  return page(introduction, membersTable, advice, ...written)
}

interface Section {
  readonly title: string
  readonly text: string
  readonly holds: (code: ErrorCode, entry: CatalogueEntry) => boolean
}

const isOfClient = (code: ErrorCode): boolean => code.startsWith('SHOAL_CLIENT_')
const isOfPeers = (code: ErrorCode): boolean =>
  /^SHOAL_(PEER_\w+|FRAME_INVALID|EPOCH_STALE|NOT_REPLICA)$/.test(code)

const sections: readonly Section[] = [
  {
    title: '400: the request is malformed',
    text: '`errors` names each part that is wrong, where in it, and what is allowed.',
    holds: (_code, { status }) => status === 400,
  },
  {
    title: '401 to 431: the request is refused',
    text: 'Its form is right; something else speaks against it.',
    holds: (_code, { status }) => status > 400 && status < 500,
  },
  {
    title: '500: a bug or damaged data',
    text: 'The log of the node has more, under the id of the request.',
    holds: (_code, { status }) => status === 500,
  },
  {
    title: '503: nothing was sent',
    text: 'The node saw beforehand that it could not do what was asked. Nothing was written.',
    holds: (_code, { status }) => status === 503,
  },
  {
    title: '504: sent, and too few answers',
    text: [
      'Some replicas may have the write, and it is not taken back. The same request with the same',
      '`Idempotency-Key` finds out, or does it. A read that ends like this says `not-applied`.',
    ].join('\n'),
    holds: (_code, { status }) => status === 504,
  },
  {
    title: 'Between nodes',
    text: 'What one node tells another. They stand in `replicas`, as the `state` of a node.',
    holds: (code, { status }) => status === 0 && isOfPeers(code),
  },
  {
    title: 'When a node starts, and in its store',
    text: 'The process prints them. Those of a single row stand in `replicas` and in the log.',
    holds: (code, { status }) => status === 0 && !isOfPeers(code) && !isOfClient(code),
  },
  {
    title: 'In the client package',
    text: 'No node said this: the client found it out by itself.',
    holds: (code, { status }) => status === 0 && isOfClient(code),
  },
]

function tableOf(codes: readonly ErrorCode[]): string {
  const rows = codes.map((code) => {
    const { status, title, retry, outcome, hint } = errorCatalogue[code]
    return [`\`${code}\``, status === 0 ? '–' : String(status), title, retry, outcome, hint]
  })
  return table(['code', 'status', 'title', 'retry', 'outcome', 'what to do'], rows)
}

/** A write of one client while two of three nodes are down. */
const example = toProblem(
  new ShoalError('SHOAL_QUORUM_UNREACHABLE', 'Wanted 2 of 3 replicas; 1 can be reached.', {
    wanted: 2,
    got: 1,
    replicas: [
      { node: 'n3', role: 'primary', state: 'unreachable', ms: 0 },
      { node: 'n1', role: 'primary', state: 'reachable', ms: 0 },
      { node: 'n2', role: 'primary', state: 'unreachable', ms: 0 },
    ],
  }),
  'urn:shoal:request:2WfQUmvx-1',
)

/** Objects within the document on one line each. */
const printed = JSON.stringify(example, undefined, 2).replaceAll(
  /\{\s+("node"[^}]*?)\s+\}/g,
  (_object, members: string) => `{ ${members.replaceAll(/\s+/g, ' ')} }`,
)

const introduction = `# Errors

<!-- Written by \`npm run docs\` from packages/kernel/src/errors.ts. Change it there. -->

Every answer with a status of 400 or more is one JSON document of the type
\`application/problem+json\` (RFC 9457), for unknown routes and unreadable requests too. A batch
carries the same document in the \`problem\` of each item that failed. Codes are stable: programs
may compare them. Titles, hints and details are for people and may change.

A write, sent to the one node of three that is up:

\`\`\`console
$ curl -i -X PUT --data milk http://127.0.0.1:4100/v1/kv/carts/42
HTTP/1.1 503 Service Unavailable
Retry-After: 1
Content-Type: application/problem+json
Request-Id: 2WfQUmvx-1

${printed}
\`\`\``

const members = [
  ['type', 'always', 'The code as a URN.'],
  ['title', 'always', 'What the code means, the same for each occurrence.'],
  ['status', 'always', 'The HTTP status, again.'],
  ['detail', 'always', 'What happened this time.'],
  ['instance', 'mostly', 'The id of the request, as in the log and in `Request-Id`.'],
  ['code', 'always', 'What a program should look at.'],
  ['outcome', 'always', 'Whether a write may have happened.'],
  ['retry', 'always', 'What may be done next.'],
  ['hint', 'always', 'What a person should do about it.'],
  ['wanted, got', 'often', 'What was needed or allowed, and what there was.'],
  ['replicas', 'after quorums', 'What each replica did: `node`, `role`, `state`, `ms`.'],
  ['errors', 'with 400', 'Each wrong part: `field`, `offset` from 0 within it, `message`.'],
  ['context, etag', 'sometimes', 'Causal context and ETag of the key as it is now.'],
  ['errorId', 'with a bug', 'What to look for in the log.'],
] as const

const membersTable = table(
  ['member', 'there', 'meaning'],
  members.map(([names, there, meaning]) => [
    names
      .split(', ')
      .map((name) => `\`${name}\``)
      .join(', '),
    there,
    meaning,
  ]),
)

const advice = [
  table(
    ['retry', 'meaning'],
    [
      ['`never`', 'The same request can only fail again.'],
      ['`after-read`', 'Read the key, then decide again with the fresh context.'],
      [
        '`if-idempotent`',
        'Send it again with the same `Idempotency-Key`. The first try may have been applied.',
      ],
      ['`after`', 'Nothing happened. Wait as long as `Retry-After` says, then send it again.'],
    ],
  ),
  table(
    ['outcome', 'meaning'],
    [
      ['`not-applied`', 'No replica has the write. Reads apply nothing and say this always.'],
      ['`unknown`', 'Some replica may have the write, now or later.'],
    ],
  ),
  [
    'The outcome in a table below is that of a write. A document may know better than the table,',
    'as when a read ends with 504.',
  ].join('\n'),
].join('\n\n')
