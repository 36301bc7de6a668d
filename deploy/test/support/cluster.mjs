/** A cluster of real nodes on this machine, started by `shoal dev`. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { root } from '../../../tools/lib/house.mjs'

export const shoal = join(root, 'packages', 'cli', 'bin', 'shoal.js')

const TRIES = 5

/** Nothing of ours may configure what we test. */
export const plainEnvironment = () =>
  Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(SHOAL_|TAP|NODE_OPTIONS$)/.test(name)),
  )

/**
 * Three nodes, and orders to stop and start them: `order('n2', 'stop')`.
 *
 * @returns {Promise<{ urls: string[], hosts: string[], order: (id: string, what: string) =>
 *   Promise<void> }>}
 */
export async function startCluster(t) {
  for (let attempt = 1; ; attempt++) {
    // Nodes take ports in a row; somebody else may have one of them.
    const port = 20_000 + Math.floor(Math.random() * 30_000)
    const child = spawn(
      process.execPath,
      [
        shoal,
        'dev',
        '--nodes',
        '3',
        '--port',
        `${port}`,
        '--chaos',
        '--json',
        '--',
        '--log',
        'json',
      ],
      { stdio: ['ignore', 'pipe', 'pipe'], env: plainEnvironment() },
    )
    let log = ''
    child.stderr.on('data', (text) => {
      log += text
    })
    const printed = readLine(child.stdout)
    const ended = once(child, 'exit')
    if ((await Promise.race([printed, ended.then(() => undefined)])) !== undefined) {
      t.teardown(async () => {
        child.kill('SIGTERM')
        await ended
      })
      return clusterAt(port)
    }
    if (attempt === TRIES) throw new Error(`no cluster: ${log}`)
  }
}

function clusterAt(port) {
  const hosts = [0, 1, 2].map((index) => `127.0.0.1:${port + index}`)
  const order = async (id, what) => {
    const url = `http://127.0.0.1:${port + 100}/nodes/${id}/${what}`
    const answer = await fetch(url, { method: 'POST' })
    if (!answer.ok) throw new Error(`${what} ${id}: ${await answer.text()}`)
  }
  return { urls: hosts.map((host) => `http://${host}`), hosts, order }
}

async function readLine(stream) {
  let text = ''
  for await (const chunk of stream) {
    text += chunk
    if (text.includes('\n')) return text.slice(0, text.indexOf('\n'))
  }
  return undefined
}

const WAIT_MS = 60_000

/** Waits until `check` gives something other than undefined or false, and gives that. */
export async function until(what, check) {
  const due = performance.now() + WAIT_MS
  for (;;) {
    const seen = await check().catch(() => undefined)
    if (seen) return seen
    if (performance.now() > due) throw new Error(`waited in vain until ${what}`)
    await pause(100)
  }
}
