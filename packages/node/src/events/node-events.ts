import type { Env, NodeId, ShoalError } from '@shoal/kernel'
import type { EngineEvent } from '../engine-events.ts'
import type { Log } from '../http/ports.ts'
import { describeEvent, describeLostWrites, describeOverload } from './describe-event.ts'
import { EventHub } from './event-hub.ts'
import { EventLog } from './event-log.ts'
import type { EventText } from './node-event.ts'

/** What happens on a node, on its way to those who follow it and to the log. */
export class NodeEvents {
  readonly hub: EventHub
  readonly #log: EventLog
  readonly #disputes = new Set<NodeId>()
  #lostWrites = 0

  constructor({ env, node, log }: { readonly env: Env; node: NodeId; readonly log: Log }) {
    this.hub = new EventHub({ env, node })
    this.#log = new EventLog(env, log)
  }

  /** Members that were found with another ring of one epoch, since the start. */
  get disputes(): readonly NodeId[] {
    return [...this.#disputes]
  }

  happened(event: EngineEvent): void {
    const { event: what } = event
    if (what.kind === 'ring-disputed') this.#disputes.add(what.by)
    const text = describeEvent(event)
    if (text !== undefined) this.#tell(text)
  }

  loadChanged(refusal: ShoalError | undefined): void {
    this.#tell(describeOverload(refusal))
  }

  /** @param total  since the start; to be called now and then */
  lostWrites(total: number): void {
    const count = total - this.#lostWrites
    this.#lostWrites = total
    if (count > 0) this.#tell(describeLostWrites(count))
  }

  #tell(text: EventText): void {
    this.hub.publish(text)
    this.#log.note(text)
  }
}
