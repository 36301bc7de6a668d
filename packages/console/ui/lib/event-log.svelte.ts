import { follow } from './event-stream.ts'

export interface LogEntry {
  readonly number: number
  readonly at: number
  readonly kind: string
  readonly text: string
}

const KEPT = 500

/** What the node has told since the console was opened; the newest first. */
class EventLog {
  entries = $state.raw<readonly LogEntry[]>([])
  connected = $state(false)
  #count = 0

  constructor() {
    follow('/v1/events', {
      event: ({ kind, data }) => this.#add(kind, data),
      state: (connected) => {
        this.connected = connected
      },
    })
  }

  #add(kind: string, data: string): void {
    const { at, text } = describe(data)
    this.entries = [{ number: this.#count++, at, kind, text }, ...this.entries.slice(0, KEPT - 1)]
  }
}

function describe(data: string): { at: number; text: string } {
  try {
    const { at, time, kind: _kind, ...rest } = JSON.parse(data) as Record<string, unknown>
    const moment = new Date((at ?? time ?? Date.now()) as number | string).getTime()
    const parts = Object.entries(rest).map(([name, value]) => `${name} ${plain(value)}`)
    return { at: Number.isNaN(moment) ? Date.now() : moment, text: parts.join(', ') }
  } catch {
    return { at: Date.now(), text: data }
  }
}

const plain = (value: unknown): string =>
  typeof value === 'object' ? JSON.stringify(value) : String(value)

export const eventLog = new EventLog()
