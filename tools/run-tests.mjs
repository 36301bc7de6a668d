/**
 * Runs the tests of the package it is started in and writes `.tests/results.json` for the sum that
 * `npm test` prints. Turbo keeps that file with the rest of the result, so a cached run counts the
 * same.
 *
 *     node ../../tools/run-tests.mjs [--jobs=N] [--timeout=SECONDS] [PART OF A FILE NAME ...]
 *
 * This is tap without its command line. tap's `run` starts each file with loaders for TypeScript,
 * mocks and coverage, which our tests, built already, do not need: 0.35 s of processor time for
 * each file and 0.6 s for each package, against 0.14 s and 0.15 s here (measured with tap 21.8.0 on
 * Node 24). Files still run under tap's own `spawn`, each in a process of its own, with its time
 * limits and its parser.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join, relative } from 'node:path'
import { t } from 'tap'
import { filesBelow, root } from './lib/house.mjs'
import { count, describeFailure, follow, total } from './lib/tally.mjs'

const folder = process.cwd()
const place = relative(root, folder)
const { jobs, timeout, parts } = readParameters(process.argv.slice(2))

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
  let started = performance.now()
  const stderr = []
  const running = t.spawn(process.env.SHOAL_TEST_NODE ?? process.execPath, nodeArguments(file), {
    name,
    cwd: folder,
    buffered: jobs > 1,
    // The file's own limit comes first: it knows better what it was waiting for.
    timeout: (timeout * 1.1 + 1) * 1_000,
    env: { ...process.env, TAP_TIMEOUT: String(timeout) },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const { subtest } = running
  const block = follow(subtest.parser, name)
  subtest.on('process', (child) => {
    started = performance.now()
    child.stderr?.on('data', (chunk) => stderr.push(chunk))
  })
  await running

  const { exitCode, signal } = subtest.options
  if (exitCode || signal) block.ok = false
  const counts = count(block)
  if (counts.passed + counts.failed + counts.skipped === 0) {
    counts.failed++
    counts.failures.push({ path: [name], message: 'holds no test', details: undefined })
  }
  const millis = Math.round(performance.now() - started)
  report({ file: name, millis, counts, ending: { exitCode, signal }, block, stderr })
  return { ...counts, file: name, millis }
}

const nodeArguments = (file) => ['--enable-source-maps', join(folder, asBuilt(file))]

function report({ file, millis, counts, ending, block, stderr }) {
  const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : ''
  const figures = `${counts.passed} passed, ${counts.failed} failed${skipped}, ${millis} ms`
  const lines = [`${counts.failed > 0 ? 'FAIL' : 'ok  '} ${file} (${figures})`]
  if (counts.failed > 0) {
    for (const failure of counts.failures) lines.push('', describeFailure(failure, place))
    if (ending.signal) lines.push('', `  ended by ${ending.signal}`)
    else if (ending.exitCode) lines.push('', `  exit code ${ending.exitCode}`)
    lines.push(...printed('stdout', block.output.join('')))
    lines.push(...printed('stderr', Buffer.concat(stderr).toString()), '')
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

const results = join(folder, '.tests', 'results.json')
rmSync(results, { force: true })
const files = testFiles()
// tap's own output is not shown: what it says is counted and told in our words.
t.register()
t.resume()
t.setTimeout(0)
t.jobs = Math.max(1, Math.min(jobs, files.length))
const counted = await Promise.all(files.map(runFile))
t.end()

const { failures, ...figures } = total(counted)
const timings = counted.map(({ file, millis }) => ({ file, millis }))
const written = { place, finished: Date.now(), ...figures, files: timings }
mkdirSync(join(folder, '.tests'), { recursive: true })
writeFileSync(results, `${JSON.stringify(written, undefined, 2)}\n`)
if (failures.length > 0) process.exitCode = 1
