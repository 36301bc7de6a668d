/** `shoal dev --chaos`, as a person starts it. */
import { type ChildProcess, spawn } from 'node:child_process'
import type { Test } from 'tap'
import { environment, script } from './node-process.ts'
import { freePorts } from './ports.ts'

/** The nodes, and the control interface a hundred above the first. */
const PORTS = 101

export interface DevCluster {
  readonly firstPort: number
  /** The first node. */
  readonly url: string
  stop(): Promise<number | null>
}

/** A local cluster with data that goes away with it, and faults on request. */
export async function startDev(t: Test): Promise<DevCluster> {
  const firstPort = await freePorts(PORTS)
  const parameters = [script, 'dev', '--port', String(firstPort), '--chaos']
  const child: ChildProcess = spawn(process.execPath, parameters, {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: environment({ NO_COLOR: '1' }),
  })
  let printed = ''
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  const stop = (): Promise<number | null> => {
    child.kill('SIGTERM')
    return ended
  }
  t.teardown(async () => {
    if (!t.passing()) t.comment(printed.slice(-4_000))
    await stop()
  })
  const ready = new Promise<void>((resolve) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        printed += text
        if (/3 nodes ready/.test(printed)) resolve()
      })
    }
  })
  const early = ended.then((code) => {
    throw new Error(`shoal dev ended with ${code}:\n${printed}`)
  })
  await Promise.race([ready, early])
  return { firstPort, url: `http://127.0.0.1:${firstPort}`, stop }
}
