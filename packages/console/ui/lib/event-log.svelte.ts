import { access } from './access.svelte.ts'
import { follow } from './event-stream.ts'

export interface LogEntry {
  readonly number: number
  readonly at: number
  readonly topic: string
  readonly level: 'info' | 'warn'
  readonly node: string
  readonly message: string
}

interface Told {
  readonly time: string
  readonly level: 'info' | 'warn'
  readonly node: string
  readonly message: string
}

const KEPT = 500

/** What the node has told since the console was opened; the newest first. */
class EventLog {
  entries = $state.raw<readonly LogEntry[]>([])
  connected = $state(false)
  #count = 0

  constructor() {
    follow('/v1/events', {
      isAllowed: () => access.isOpen,
      event: ({ kind, data }) => this.#add(kind, data),
      state: (connected) => {
        this.connected = connected
      },
    })
  }

  #add(topic: string, data: string): void {
    const told = JSON.parse(data) as Partial<Told>
    const { time, message = 'events were missed', level = 'info', node = '' } = told
    const at = time === undefined ? Date.now() : new Date(time).getTime()
    const entry = { number: this.#count++, at, topic, level, node, message }
    this.entries = [entry, ...this.entries.slice(0, KEPT - 1)]
  }
}

export const eventLog = new EventLog()
