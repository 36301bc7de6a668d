/** @shoal/membership: who is alive. It feeds routing and never edits the table. */
export type { SwimMember } from './core/events.ts'
export { defaultSettings, type SwimSettings } from './core/settings.ts'
export type { Liveness, NodeView } from './shell/liveness.ts'
export { Membership, type MembershipStatus } from './shell/membership.ts'
export type { MembershipEvent, MembershipParts, Rings } from './shell/parts.ts'
