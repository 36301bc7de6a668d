/**
 * One node in a process of its own: `node node-process.js INDEX COUNT BASE_PORT FOLDER`. Prints
 * `ready` when it serves.
 */
import { limits, nodeId } from '@shoal/kernel'
import { startNode } from '@shoal/node'

const [index = 1, count = 3, basePort = 0] = process.argv.slice(2, 5).map(Number)
const folder = process.argv[5] ?? ''
const log = {
  info: () => {},
  warn: (details: object, message: string) => console.error(message, details),
  error: (details: object, message: string) => console.error(message, details),
}
const node = await startNode(
  {
    nodeId: nodeId(`n${index}`),
    listen: { host: '127.0.0.1', port: basePort + index - 1 },
    data: `${folder}/n${index}`,
    members: Array.from({ length: count }, (_none, place) => ({
      id: nodeId(`n${place + 1}`),
      url: `http://127.0.0.1:${basePort + place}`,
    })),
    secret: 'the secret of a benchmark, which guards nothing',
    replicas: 3,
    partitions: 256,
    durability: 'fsync',
    valueBytesMax: limits.valueBytesDefault,
    versionCacheBytes: limits.versionCacheBytesDefault,
    bucketDefaults: {
      consistency: { level: 'quorum', strict: false },
      conflicts: 'siblings',
      blindWrites: 'overwrite',
      ttl: 0,
      maxSiblings: limits.siblingsMaxDefault,
    },
  },
  {
    log,
    onFatal: (error) => {
      console.error(error)
      process.exit(1)
    },
  },
)
process.on('SIGTERM', () => {
  void node.stop().then(() => process.exit(0))
})
process.stdout.write('ready\n')
