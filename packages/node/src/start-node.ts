import { ShoalError, seconds } from '@shoal/kernel'
import { composeNode, type NodeParts, type Surroundings } from './compose.ts'
import { startEngine, stopEngine } from './engine.ts'
import { type AnyServer, renewCertificate } from './http/listener.ts'
import { createPeerListener } from './peer-listener.ts'
import type { NodeSettings } from './settings.ts'

export interface RunningNode {
  /** Where clients reach it. */
  readonly url: string
  readonly parts: NodeParts
  /** Whether it finds its cluster healthy, from its memory. */
  isWhole(): boolean
  /** Reads tokens and certificates again now, where they have changed. */
  reload(): Promise<void>
  /** Drains, then leaves the disk as after a clean stop. Safe to call twice. */
  stop(): Promise<void>
}

const LOAD_EVERY = seconds(1)
const DISK_EVERY = seconds(30)

/**
 * Starts one node: serving when it resolves. It does not wait for its peers; what needs more
 * replicas than can be reached is refused until they come.
 */
export async function startNode(
  settings: NodeSettings,
  surroundings: Surroundings,
): Promise<RunningNode> {
  const parts = await composeNode(settings, surroundings)
  const { http, state } = parts
  const peerServer = await listenForPeers(settings, parts)
  const listening = await http.listen(settings.listen.host, settings.listen.port)
  await startEngine(parts)
  measure(parts)
  parts.watch.start()
  state.serving = true
  let stopping: Promise<void> | undefined
  return {
    url: listening.url,
    parts,
    isWhole: () => parts.cluster.health().status === 'healthy',
    reload: () => parts.security.reload(),
    stop: () => {
      stopping ??= holdingTheProcess(stopNode(parts, peerServer))
      return stopping
    },
  }
}

/** Peers share the clients' port, or have one of their own. */
async function listenForPeers(
  { peerListen }: NodeSettings,
  { http, peers, security }: NodeParts,
): Promise<AnyServer | undefined> {
  if (!peerListen) {
    http.onUpgrade(peers.acceptUpgrade)
    return undefined
  }
  const server = createPeerListener(security.identity, peers.acceptUpgrade)
  security.onIdentity((identity) => renewCertificate(server, identity))
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const address = `${peerListen.host}:${peerListen.port}`
      reject(
        new ShoalError('SHOAL_ADDRESS_IN_USE', `Cannot listen on ${address}: ${cause.code}.`, {
          cause,
        }),
      )
    })
    server.listen(peerListen.port, peerListen.host, resolve)
  })
  return server
}

function measure({ env, meter, store, coordinator, events, state }: NodeParts): void {
  const load = (): void => {
    state.load = meter.takeUtilization()
    events.lostWrites(coordinator.figures.lostWrites)
    env.clock.after(LOAD_EVERY, load)
  }
  const disk = (): void => {
    if (store.failed) return
    store.diskBytes().then(
      (bytes) => {
        state.diskBytes = bytes
      },
      () => {},
    )
    env.clock.after(DISK_EVERY, disk)
  }
  load()
  disk()
}

const HOLD_EVERY = seconds(60)

/**
 * The timers of a node do not keep its process running. Its sockets do, until the last one closes,
 * which may be before all is done: then the process would end as if it had crashed.
 */
async function holdingTheProcess(work: Promise<void>): Promise<void> {
  const hold = setInterval(() => {}, HOLD_EVERY)
  try {
    await work
  } finally {
    clearInterval(hold)
  }
}

async function stopNode(parts: NodeParts, peerServer: AnyServer | undefined): Promise<void> {
  const { http, admission, meter, watch, security, state } = parts
  state.serving = false
  http.setDraining('announced')
  http.setDraining('refusing')
  await http.close()
  admission.close()
  watch.close()
  meter.close()
  await stopEngine(parts)
  peerServer?.close()
  peerServer?.closeAllConnections()
  await security.close()
}
