import { createNode, openPlace } from './cluster.ts'

/**
 * A node in a process of its own, for tests that stop the process. Its peer is told on the command
 * line.
 */
const [, , id = '', peer = '', url = ''] = process.argv
const place = await openPlace(id)
const node = createNode(place, [place, { ...place, id: peer as typeof place.id, url }])
await node.peers.start()
process.on('disconnect', () => process.exit(0))
process.send?.(place.url)
