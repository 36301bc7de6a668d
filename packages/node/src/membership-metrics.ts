import type { Membership } from '@shoal/membership'
import type { Registry } from 'prom-client'
import type { EventHub } from './events/event-hub.ts'
import { topics } from './events/node-event.ts'
import { MetricMaker } from './metric-maker.ts'

const states = ['alive', 'suspect', 'dead', 'left'] as const

/** Who lives, as this node takes it, and what it told of that and of other things. */
export function registerMembershipMetrics(
  registry: Registry,
  {
    membership,
    events,
  }: {
    /** Undefined where it is switched off. */
    readonly membership: Membership | undefined
    readonly events: EventHub
  },
): void {
  const make = new MetricMaker(registry)
  make.totals({
    name: 'shoal_events_total',
    help: 'Events told at /v1/events, by topic.',
    label: 'topic',
    values: topics,
    read: (topic) => events.told(topic),
  })
  if (membership === undefined) return
  make.levels({
    name: 'shoal_members',
    help: 'Other members, by how this node takes them to be.',
    label: 'state',
    values: states,
    read: (state) => membership.views().filter((view) => view.state === state).length,
  })
  make.level(
    'shoal_membership_health',
    '0: this node finds itself well; up to 7, the more patient it is with others.',
    () => membership.status.health,
  )
  make.level(
    'shoal_membership_rumours',
    'News of members that is still to be told.',
    () => membership.status.rumours,
  )
}
