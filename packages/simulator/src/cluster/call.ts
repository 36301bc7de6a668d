import type { Coordinator, ListAnswer, ReadAnswer, WriteAnswer } from '@shoal/coordinator'
import { invariant, ShoalError, type Timer } from '@shoal/kernel'
import type { ClientEnd, ClientRequest, SimNodeState } from './sim-node.ts'

type Result = ReadAnswer | WriteAnswer | ListAnswer | ShoalError

/** The node that a request goes to, as far as the request must know it. */
export interface Server {
  readonly state: SimNodeState
  readonly coordinator: Coordinator | undefined
  readonly life: number
  readonly process: unknown
  /** Not yet answered. */
  readonly calls: Set<Call>
}

export interface WayBack {
  /** From a node to a client. */
  onTheWay(arrive: () => void): void
}

/** One request of one client at one node. */
export class Call {
  waiting: Timer | undefined
  readonly #way: WayBack
  readonly #server: Server
  readonly #request: ClientRequest
  readonly #done: (end: ClientEnd) => void
  /** The node has said the last word, or is gone. */
  #answered = false
  #ended = false

  constructor(
    way: WayBack,
    server: Server,
    request: ClientRequest,
    done: (end: ClientEnd) => void,
  ) {
    this.#way = way
    this.#server = server
    this.#request = request
    this.#done = done
  }

  /** It reaches the process to which it was sent. */
  arrive(): void {
    const { state, coordinator, calls } = this.#server
    if (state === 'up' && coordinator) return this.#serve(coordinator)
    calls.delete(this)
    this.#answered = true
    this.#way.onTheWay(() => this.end({ kind: 'unsent' }))
  }

  /** The process is gone. A machine that is gone too does not even say so. */
  abandon({ silently }: { readonly silently: boolean }): void {
    this.#answered = true
    if (!silently) this.#way.onTheWay(() => this.end({ kind: 'lost', because: 'death' }))
  }

  /** What the client hears first is what it goes by. */
  end(end: ClientEnd): void {
    if (this.#ended) return
    this.#ended = true
    this.waiting?.cancel()
    this.#done(end)
  }

  #serve(coordinator: Coordinator): void {
    const request = this.#request
    const { life } = this.#server
    const answer = (result: Result): void => {
      // The dead may still speak in the event in which they died. Nobody hears it.
      if (this.#server.life === life && this.#server.calls.has(this)) return this.#answer(result)
      invariant(this.#server.life !== life || !this.#server.process, 'a request ends once (O2)')
    }
    switch (request.kind) {
      case 'read':
        return coordinator.read(request.request, answer)
      case 'write':
        return coordinator.write(request.request, answer)
      case 'list':
        void coordinator.list(request.request).then(answer, (error: unknown) => {
          if (!(error instanceof ShoalError)) throw error
          answer(error)
        })
    }
  }

  #answer(result: Result): void {
    invariant(!this.#answered, 'a request ends once (O2)')
    this.#answered = true
    this.#server.calls.delete(this)
    const end: ClientEnd =
      result instanceof ShoalError
        ? { kind: 'refused', error: result }
        : { kind: 'answer', answer: result }
    this.#way.onTheWay(() => this.end(end))
  }
}
