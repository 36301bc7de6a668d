/** @shoal/node/config: what one node is told, by flags, environment and file. */
export {
  type ConfigRow,
  describeConfig,
  type ExaminedConfig,
  examineConfig,
  type NodeConfig,
  readConfig,
} from './config.ts'
export { type GivenSources, inspectConfig, loadConfig } from './load.ts'
export { type ConfiguredMember, readMembersText } from './members.ts'
export type { SettingId } from './schema.ts'
export type { ConfigFlags, ConfigSources, FileText, Origin } from './sources.ts'
