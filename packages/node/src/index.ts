/** @shoal/node: one node, composed and served. */
export {
  describeConfig,
  inspectConfig,
  loadConfig,
  type NodeConfig,
  readConfig,
} from './config/index.ts'
export type { Log } from './http/ports.ts'
export type { NodeSettings } from './settings.ts'
export { type RunningNode, startNode } from './start-node.ts'
export { version } from './version.ts'
