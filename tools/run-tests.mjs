/**
 * Runs the tests of the package it is started in and writes `.tests/results.json` for the sum that
 * `npm test` prints. Turbo keeps that file with the rest of the result, so a cached run counts the
 * same.
 *
 *     node ../../tools/run-tests.mjs [--jobs=N] [--timeout=SECONDS] [PART OF A FILE NAME ...]
 *
 * The tests are written for tap and read by tap's parser; only its command line is missing. That
 * one puts hooks for TypeScript, mocks and coverage into `NODE_OPTIONS`, so that every process a
 * test starts would inherit them: the nodes we test would not be the nodes we ship. Our tests are
 * built already and need none of it. It is cheaper, too: 0.25 s of processor time for each file and
 * 0.06 s for each package, against 0.40 s and 0.80 s (tap 21.8.0, Node 24, two busy cores).
 */
import { spawn } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join, relative } from 'node:path'
import { Parser } from 'tap-parser'
import { filesBelow, root } from './lib/house.mjs'
import { count, describeFailure, follow, total } from './lib/tally.mjs'

const folder = process.cwd()
const place = relative(root, folder)
const { jobs, timeout, parts } = readParameters(process.argv.slice(2))
const node = process.env.SHOAL_TEST_NODE ?? process.execPath

function readParameters(parameters) {
  const read = { jobs: availableParallelism(), timeout: 120, parts: [] }
  for (const parameter of parameters) {
    const [, name, value] = /^--(jobs|timeout)=(\d+)$/.exec(parameter) ?? []
    if (name) read[name] = Number(value)
    else read.parts.push(parameter)
  }
  return read
}

/** The tests as written, so that what is left in `dist` of a removed one is not run. */
function testFiles() {
  return [...filesBelow(place)]
    .map((path) => path.slice(place.length + 1))
    .filter((path) => /\.test\.(ts|mjs)$/.test(path))
    .filter((path) => parts.length === 0 || parts.some((part) => path.includes(part)))
}

const asBuilt = (file) => (file.endsWith('.ts') ? `dist/${file.replace(/\.ts$/, '.js')}` : file)

/** @returns {Promise<import('./lib/tally.mjs').Counts & { file: string, millis: number }>} */
async function runFile(file) {
  const name = `${place}/${file}`
  const started = performance.now()
  const parser = new Parser()
  const block = follow(parser, name)
  const ending = await runNode([join(folder, asBuilt(file))], parser)
  if (ending.exitCode || ending.signal) block.ok = false

  const counts = count(block)
  if (counts.passed + counts.failed + counts.skipped === 0) {
    counts.failed++
    counts.failures.push({ path: [name], message: 'holds no test', details: undefined })
  }
  const millis = Math.round(performance.now() - started)
  report({ file: name, millis, counts, ending, output: block.output.join('') })
  return { ...counts, file: name, millis }
}

/**
 * One test file in a process of its own, its TAP given to the parser.
 *
 * @returns {Promise<{ exitCode: number | null, signal: string | null, stderr: string }>}
 */
function runNode(parameters, parser) {
  return new Promise((resolve) => {
    const child = spawn(node, ['--enable-source-maps', ...parameters], {
      cwd: folder,
      env: { ...process.env, TAP_TIMEOUT: String(timeout) },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    const limit = limitTime(child)
    const stderr = []
    child.stdout.pipe(parser)
    child.stderr.on('data', (chunk) => stderr.push(chunk))
    child.once('close', (exitCode, signal) => {
      limit.lift()
      resolve({ exitCode, signal, stderr: Buffer.concat(stderr).toString() })
    })
  })
}

/**
 * A file that hangs is asked what it waits for, which tap answers on SIGALRM, and then ended. Its
 * own limit comes first; `t.setTimeout` in the file moves both.
 */
function limitTime(child) {
  const timers = new Set()
  const after = (millis, act) => timers.add(setTimeout(act, millis))
  const lift = () => {
    for (const timer of timers) clearTimeout(timer)
    timers.clear()
  }
  const arm = (millis) => {
    lift()
    if (millis === 0) return
    const grace = 1_000 + millis / 10
    after(millis + grace, () => child.kill('SIGALRM'))
    after(millis + 2 * grace, () => child.kill('SIGKILL'))
  }
  child.on('message', (message) => {
    if (typeof message?.setTimeout === 'number') arm(message.setTimeout)
  })
  arm(timeout * 1_000)
  return { lift }
}

function report({ file, millis, counts, ending, output }) {
  const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : ''
  const figures = `${counts.passed} passed, ${counts.failed} failed${skipped}, ${millis} ms`
  const lines = [`${counts.failed > 0 ? 'FAIL' : 'ok  '} ${file} (${figures})`]
  if (counts.failed > 0) {
    for (const failure of counts.failures) lines.push('', describeFailure(failure, place))
    if (ending.signal) lines.push('', `  ended by ${ending.signal}`)
    else if (ending.exitCode) lines.push('', `  exit code ${ending.exitCode}`)
    lines.push(...printed('stdout', output), ...printed('stderr', ending.stderr), '')
  }
  process.stdout.write(`${lines.join('\n')}\n`)
}

const LINES_SHOWN_MAX = 200

function printed(stream, text) {
  if (text.trim() === '') return []
  const lines = text.trimEnd().split('\n')
  const left = lines.length - LINES_SHOWN_MAX
  const shown = lines.slice(-LINES_SHOWN_MAX).map((line) => `    ${line}`)
  return ['', `  ${stream}:${left > 0 ? ` (${left} lines before these)` : ''}`, ...shown]
}

/** Runs `work` on each item, as many at a time as there are jobs. */
async function each(items, work) {
  const results = []
  const waiting = [...items]
  const workers = Array.from({ length: jobs }, async () => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) {
      results.push(await work(item))
    }
  })
  await Promise.all(workers)
  return results
}

const results = join(folder, '.tests', 'results.json')
rmSync(results, { force: true })
const counted = await each(testFiles(), runFile)
const { failures, ...figures } = total(counted)
const timings = counted.map(({ file, millis }) => ({ file, millis }))
const written = { place, finished: Date.now(), ...figures, files: timings }
mkdirSync(join(folder, '.tests'), { recursive: true })
writeFileSync(results, `${JSON.stringify(written, undefined, 2)}\n`)
if (failures.length > 0) process.exitCode = 1
