/** `shoal start`: one node, for as long as it runs. */
import type { RunningNode } from '@shoal/node'
import { type ConfigFlags, loadConfig } from '@shoal/node/config'
import type { ToldParent } from '../dev/node-process.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { reportFailure } from '../failure.ts'
import { createLog, jsonLine, type LogFormat } from '../node/log.ts'
import { stopSignals } from '../stop-signals.ts'
import type { Io } from '../terminal.ts'

export async function start(io: Io, flags: ConfigFlags): Promise<ExitCode> {
  const {
    settings,
    log: logSettings,
    warnings,
  } = loadConfig({
    flags,
    environment: io.environment,
  })
  const { format } = logSettings
  const signals = stopSignals(() => process.exit(exitCodes.interrupted), undefined, stopping())
  const orphaned = whenOrphaned()
  const log = createLog(io.out, logSettings)
  for (const { field, message } of warnings) log.warn({ setting: field }, message)
  const onFatal = (error: Error): never => endNow(io, error, format === 'json')
  const [{ startNode }, { ownsException }] = await Promise.all([
    import('@shoal/node'),
    import('@shoal/storage'),
  ])
  process.on('uncaughtException', (error) => {
    // Read errors of the store surface here on their way to whoever asked.
    if (!ownsException(error)) onFatal(error)
  })
  const node = await startNode(settings, { log, onFatal })
  if (!stopping().includes('SIGHUP')) process.on('SIGHUP', () => void node.reload())
  announce(io, node.url, format)
  tellWhenWhole(node)
  await Promise.race([signals.asked, orphaned])
  log.info({}, 'stopping')
  await node.stop()
  log.info({}, 'stopped')
  // All that matters is on disk. A handle that something forgot must not keep the process.
  return process.exit(exitCodes.done)
}

/**
 * A terminal that is closed ends what runs in it. A service has none: there SIGHUP asks to read
 * tokens and certificates again, without waiting until their change is noticed.
 */
const stopping = (): readonly NodeJS.Signals[] =>
  process.stdin.isTTY ? ['SIGINT', 'SIGTERM', 'SIGHUP'] : ['SIGINT', 'SIGTERM']

/** Settles when the process that started this one by `shoal dev` is gone. */
function whenOrphaned(): Promise<void> {
  const gone = new Promise<void>((resolve) => process.once('disconnect', resolve))
  // To listen is no reason to stay.
  process.channel?.unref()
  return gone
}

/** One line for whoever waits for it, and a message for the parent that asked for one. */
function announce({ out }: Io, url: string, format: LogFormat): void {
  // Whatever is logged and what not: this line is waited for.
  const entry = { time: new Date(), level: 'info', message: 'ready', details: { url } } as const
  out.line(format === 'json' ? jsonLine(entry) : `ready ${url}`)
  process.send?.({ kind: 'ready', url } satisfies ToldParent)
}

const LOOK_EVERY_MS = 20

/**
 * Tells the parent that this node finds the cluster healthy. To ask would need a token, where nodes
 * ask for one.
 */
function tellWhenWhole(node: Pick<RunningNode, 'isWhole'>): void {
  if (process.send === undefined) return
  if (node.isWhole()) process.send({ kind: 'whole' } satisfies ToldParent)
  else setTimeout(() => tellWhenWhole(node), LOOK_EVERY_MS).unref()
}

/**
 * The state of this process can no longer be trusted: it says why, and nothing more happens in it.
 */
function endNow({ err }: Io, error: Error, asJson: boolean): never {
  process.exit(reportFailure(error, err, asJson))
}
