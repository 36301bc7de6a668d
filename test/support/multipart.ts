import type { Answer } from './http.ts'

export interface Part {
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

/** The parts of a `multipart/mixed` answer. @throws when it is none */
export function parseMultipart(answer: Answer): Part[] {
  const [, boundary = ''] = /boundary="?([^";]+)"?/.exec(answer.header('Content-Type')) ?? []
  const text = answer.body.toString('latin1')
  const [before, ...pieces] = `\r\n${text}`.split(`\r\n--${boundary}`)
  if (before !== '' || pieces.pop()?.trim() !== '--') throw new Error(`not multipart: ${text}`)
  return pieces.map((piece) => {
    const end = piece.indexOf('\r\n\r\n')
    const lines = piece.slice(2, end).split('\r\n')
    const headers = Object.fromEntries(
      lines.map((line) => {
        const colon = line.indexOf(':')
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
      }),
    )
    return { headers, body: Buffer.from(piece.slice(end + 4), 'latin1') }
  })
}
