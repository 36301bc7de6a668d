import type { Client, ConnectOptions } from '@shoal/client'
import { type CredentialOptions, readCredentials } from './credentials.ts'

export interface ConnectionOptions extends CredentialOptions {
  /** One URL, or several separated by commas. */
  readonly url: string
  /** Milliseconds. */
  readonly timeout: number
}

/**
 * Lends a client for one piece of work, and closes it.
 *
 * The first URL that can be reached is asked, once: a person at a terminal wants to see what is
 * wrong, and a script decides by the exit code. Fetching the ring first would cost more than it
 * saves for one request.
 */
export async function withClient<T>(
  options: ConnectionOptions,
  work: (client: Client) => Promise<T>,
  more: ConnectOptions = { routing: 'seeds', hedge: false },
): Promise<T> {
  const { url, timeout: timeoutMs } = options
  const { token, ca } = await readCredentials(options)
  const { connect } = await import('@shoal/client')
  const known = { ...(token && { token }), ...(ca && { tls: { ca } }) }
  const client = connect(urlsOf(url), { timeoutMs, retries: 0, ...known, ...more })
  // The client's timers do not keep a process alive, and while it waits there may be nothing else.
  const alive = setInterval(() => {}, 60_000)
  try {
    return await work(client)
  } finally {
    await client.close()
    clearInterval(alive)
  }
}

export const urlsOf = (text: string): string[] =>
  text
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '')
