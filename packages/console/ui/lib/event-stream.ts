import { accessToken } from './api.ts'

/** One server-sent event. */
export interface StreamEvent {
  readonly id: string
  readonly kind: string
  readonly data: string
}

/**
 * Reads the text of a stream of server-sent events piece by piece. Pure: it is fed, and tells what
 * is complete.
 */
export class EventReader {
  #rest = ''
  #id = ''
  #kind = ''
  #data: string[] = []

  feed(text: string): StreamEvent[] {
    const found: StreamEvent[] = []
    const lines = (this.#rest + text).split(/\r?\n/)
    this.#rest = lines.pop() ?? ''
    for (const line of lines) {
      if (line === '') {
        if (this.#data.length > 0) {
          found.push({ id: this.#id, kind: this.#kind || 'message', data: this.#data.join('\n') })
        }
        this.#kind = ''
        this.#data = []
        continue
      }
      const [, field, value = ''] = /^([a-z]+)(?:: ?(.*))?$/.exec(line) ?? []
      if (field === 'id') this.#id = value
      else if (field === 'event') this.#kind = value
      else if (field === 'data') this.#data.push(value)
    }
    return found
  }
}

export interface StreamSink {
  event(event: StreamEvent): void
  state(connected: boolean): void
  /** Nothing is asked while this is false. */
  isAllowed(): boolean
}

/**
 * Follows a stream until it is closed; begins again where it ended. `EventSource` cannot send a
 * token.
 */
export function follow(path: string, sink: StreamSink): () => void {
  const closing = new AbortController()
  void keepFollowing(path, sink, closing.signal)
  return () => closing.abort()
}

const RETRY_MS = 2_000
/** Looked at again, nothing is sent. */
const ALLOWED_MS = 200

async function keepFollowing(path: string, sink: StreamSink, signal: AbortSignal): Promise<void> {
  let last = ''
  while (!signal.aborted) {
    if (!sink.isAllowed()) {
      await new Promise((resolve) => setTimeout(resolve, ALLOWED_MS))
      continue
    }
    try {
      const headers = new Headers({ Accept: 'text/event-stream' })
      if (last !== '') headers.set('Last-Event-ID', last)
      if (accessToken.get() !== '') headers.set('Authorization', `Bearer ${accessToken.get()}`)
      const response = await fetch(path, { headers, signal, cache: 'no-store' })
      if (response.ok && response.body) {
        sink.state(true)
        const reader = new EventReader()
        const texts = response.body.pipeThrough(new TextDecoderStream()).getReader()
        for (let part = await texts.read(); !part.done; part = await texts.read()) {
          for (const event of reader.feed(part.value)) {
            last = event.id || last
            sink.event(event)
          }
        }
      }
    } catch {
      // The node went away, or the page was left: tried again, or over.
    }
    if (signal.aborted) return
    sink.state(false)
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
  }
}
