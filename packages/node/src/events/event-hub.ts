import { type Env, limits, type NodeId } from '@shoal/kernel'
import type { EventText, NodeEvent, Topic } from './node-event.ts'

export interface Following {
  /** What the follower asked for and had missed, oldest first. */
  readonly replay: readonly NodeEvent[]
  /** Events that are not kept any more; `null`: nobody knows how many. */
  readonly missed: number | null
  stop(): void
}

export interface FollowOptions {
  /** Undefined: all. */
  readonly topics?: ReadonlySet<Topic> | undefined
  /** The id of the last event that the follower has. Undefined: only what happens from now on. */
  readonly after?: string | undefined
}

/**
 * The last events of this node, and who follows them.
 *
 * A fixed number is kept, so a follower that was away for long misses some, and is told that it
 * did. Telling costs one call for each follower; what a follower cannot take at once is its own
 * business.
 */
export class EventHub {
  readonly #env: Env
  readonly #node: NodeId
  readonly #run: string
  /** The newest `limits.eventsKept`, by number modulo that. */
  readonly #kept: NodeEvent[] = []
  readonly #followers = new Set<(event: NodeEvent) => void>()
  readonly #told = new Map<Topic, number>()
  #count = 0

  constructor({ env, node }: { readonly env: Env; readonly node: NodeId }) {
    this.#env = env
    this.#node = node
    this.#run = Buffer.from(env.random('events').bytes(6)).toString('hex')
  }

  /** Since the start of the process. */
  told(topic: Topic): number {
    return this.#told.get(topic) ?? 0
  }

  get followers(): number {
    return this.#followers.size
  }

  publish(text: EventText): void {
    const number = ++this.#count
    this.#told.set(text.topic, this.told(text.topic) + 1)
    const time = new Date(this.#env.clock.wall()).toISOString()
    const event = { id: `${this.#run}-${number}`, time, node: this.#node, ...text }
    this.#kept[number % limits.eventsKept] = event
    for (const follower of this.#followers) follower(event)
  }

  follow({ topics, after }: FollowOptions, tell: (event: NodeEvent) => void): Following {
    const wanted = ({ topic }: NodeEvent): boolean => topics?.has(topic) !== false
    const follower = (event: NodeEvent): void => {
      if (wanted(event)) tell(event)
    }
    this.#followers.add(follower)
    const { replay, missed } = this.#since(after)
    return { replay: replay.filter(wanted), missed, stop: () => this.#followers.delete(follower) }
  }

  #since(after: string | undefined): Pick<Following, 'replay' | 'missed'> {
    if (after === undefined) return { replay: [], missed: 0 }
    const oldest = Math.max(1, this.#count - limits.eventsKept + 1)
    const last = this.#numberOf(after)
    const from = last === undefined ? oldest : Math.max(oldest, last + 1)
    const replay: NodeEvent[] = []
    for (let number = from; number <= this.#count; number++) {
      replay.push(this.#kept[number % limits.eventsKept] as NodeEvent)
    }
    // An id of another run: what happened between that and this one is unknown.
    return { replay, missed: last === undefined ? null : from - last - 1 }
  }

  #numberOf(id: string): number | undefined {
    const [run, text = ''] = id.split('-')
    if (run !== this.#run || !/^\d{1,15}$/.test(text)) return undefined
    const number = Number(text)
    return number <= this.#count ? number : undefined
  }
}
