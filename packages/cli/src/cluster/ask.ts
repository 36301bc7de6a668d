/** One GET to one node, without the client's retries and without its ring. */
import { request as askPlain } from 'node:http'
import { request as askSecure } from 'node:https'
import type { Credentials } from './credentials.ts'

export interface Told {
  readonly status: number
  readonly date: string | undefined
  readonly text: string
}

/** Undefined when the node does not answer in time, for whatever reason. */
export function ask(
  url: string,
  { token, ca, timeoutMs }: Credentials & { readonly timeoutMs: number },
): Promise<Told | undefined> {
  const ask = url.startsWith('https:') ? askSecure : askPlain
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const signal = AbortSignal.timeout(timeoutMs)
  return new Promise((resolve) => {
    const failed = (): void => resolve(undefined)
    const sent = ask(url, { headers, signal, agent: false, ...(ca && { ca }) }, (response) => {
      const pieces: Buffer[] = []
      response.on('data', (piece: Buffer) => pieces.push(piece))
      response.on('error', failed)
      response.on('end', () => {
        const { statusCode: status = 0, headers: told } = response
        resolve({ status, date: told.date, text: Buffer.concat(pieces).toString('utf8') })
      })
    })
    sent.on('error', failed)
    sent.end()
  })
}
