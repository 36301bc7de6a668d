/**
 * Builds the image without a container engine and starts what it holds.
 *
 *     npm run image                   build, start, ask, stop; the root is removed
 *     npm run image -- --keep FOLDER  and leave it there
 *
 * Each stage of the Dockerfile begins in an empty root made of Debian's packages; its instructions
 * are carried out there, in a mount and process namespace of their own. The last root is started as
 * an orchestrator would: as the user of the image, with no root to write to, and with its own
 * health check. Needs root, mmdebstrap and the package registries; takes a few minutes.
 *
 * What it cannot tell: whether the published base images hold more or less than Debian's minimal
 * set of packages with node in /usr/local, which is what they are said to hold.
 */
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { dockerfile } from './context.mjs'
import { instructionsOf, stagesOf } from './dockerfile.mjs'
import { run, unpackBase } from './roots.mjs'
import { Stage } from './stage.mjs'

const START_TIMEOUT_MS = 60_000

const say = (text) => console.log(text)

/** Carries out the Dockerfile. @returns {Promise<Stage>} the last stage */
async function build(work) {
  const stages = new Map()
  let last
  for (const { base, name, steps } of stagesOf(instructionsOf(readFileSync(dockerfile, 'utf8')))) {
    say(`FROM ${base}`)
    const place = join(work, name ?? 'image')
    unpackBase(base, place)
    last = new Stage(place, base)
    for (const step of steps) {
      say(`${step.keyword} ${step.text.split('\n')[0].slice(0, 90)}`)
      await last.perform(step, stages)
    }
    if (name !== undefined) stages.set(name, last)
  }
  return last
}

/** Starts the image as an orchestrator does, and uses it. */
async function use(image, work) {
  const data = join(work, 'data')
  mkdirSync(data)
  const [uid, gid] = image.user.split(':').map(Number)
  run('chown', [`${uid}:${gid}`, data])
  const port = await freePort()
  const variables = {
    SHOAL_NODE_ID: 'n1',
    SHOAL_LISTEN: `127.0.0.1:${port}`,
    SHOAL_SECRET: randomBytes(32).toString('hex'),
  }
  const options = { sealed: true, variables, mounts: { [image.volumes[0]]: data } }
  const child = image.spawn([...image.entry, ...image.command], { ...options, stdio: 'pipe' })
  let log = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (log += text))
  const end = once(child, 'close')
  try {
    const startedMs = await healthy(image, options, () => child.exitCode)
    say(`healthy after ${startedMs} ms, as ${image.user}, in a root that cannot be written`)
    await writeAndRead(`http://127.0.0.1:${port}/v1/kv/image/key`)
    await showsConsole(`http://127.0.0.1:${port}/ui`)
    await stop(child, end)
  } catch (error) {
    console.error(log)
    throw error
  } finally {
    child.kill('SIGKILL')
  }
}

async function healthy(image, options, exitCode) {
  const started = performance.now()
  while (performance.now() - started < START_TIMEOUT_MS) {
    if (exitCode() !== null) throw new Error(`the image ended with code ${exitCode()}`)
    const check = image.spawn(image.health, { ...options, stdio: 'ignore' })
    const [code] = await once(check, 'close')
    if (code === 0) return Math.round(performance.now() - started)
    await pause(200)
  }
  throw new Error('the health check never passed')
}

async function writeAndRead(url) {
  const put = await fetch(url, { method: 'PUT', body: 'a value' })
  const got = await fetch(url)
  const text = await got.text()
  if (put.status !== 204 || text !== 'a value') throw new Error(`${put.status}, then ${text}`)
  say(`wrote and read: ${got.headers.get('receipt') ?? put.headers.get('receipt')}`)
}

/** What is built apart from the packages is in the release, too. */
async function showsConsole(url) {
  const page = await fetch(url)
  const text = await page.text()
  const scripts = [...text.matchAll(/src="([^"]+\.js)"/g)].map(
    ([, path]) => new URL(path, page.url),
  )
  if (scripts.length === 0) throw new Error(`${url}: ${page.status}, and no script in it`)
  for (const script of scripts) {
    const { status } = await fetch(script)
    if (status !== 200) throw new Error(`${script}: ${status}`)
  }
  say('shows the console')
}

/** The node is the child of `unshare`, and first in its namespace of processes. */
async function stop(child, end) {
  const children = `/proc/${child.pid}/task/${child.pid}/children`
  const [node] = readFileSync(children, 'utf8').trim().split(' ').map(Number)
  const started = performance.now()
  process.kill(node, 'SIGTERM')
  const [code] = await end
  if (code !== 0) throw new Error(`stopped with exit code ${code}`)
  say(`stopped by SIGTERM in ${Math.round(performance.now() - started)} ms, exit code 0`)
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

function sizeOf(place) {
  const [kib] = execFileSync('du', ['--summarize', '--one-file-system', place], {
    encoding: 'utf8',
  }).split('\t')
  return `${Math.round(Number(kib) / 1_024)} MiB`
}

/**
 * @param {{ keep?: string }} options  a folder for the roots, which are left there then
 * @throws what went wrong
 */
export async function checkImage({ keep } = {}) {
  const work = keep ?? mkdtempSync(join(tmpdir(), 'shoal-image-'))
  mkdirSync(work, { recursive: true })
  try {
    const image = await build(work)
    say(`the image is ${sizeOf(image.place)}`)
    await use(image, work)
  } finally {
    if (keep === undefined) rmSync(work, { recursive: true, force: true })
  }
}
