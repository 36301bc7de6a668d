/**
 * Runs what a document tells people to type, and compares what it tells them they will see.
 *
 * A tour stands between `<!-- tour -->` and `<!-- end of tour -->`. In its `sh` blocks a line
 * after `$ ` is a command, one that ends in `\` goes on in the next line, and what follows is shown
 * output. A block without a prompt is not run. Output is compared like this:
 *
 *   - Shown lines are found in the output in their order; lines may be left out of what is shown.
 *   - `…` stands for anything within a line, and `c1.…` in a command for the last context seen.
 *   - JSON may be cut off.
 *   - Contexts, ETags, dates, ids, durations and what a receipt counts by chance count as equal.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { environment, repository, script } from './node-process.ts'

export interface Step {
  readonly command: string
  readonly shown: readonly string[]
  /** In the document, from 1. */
  readonly line: number
}

const BEGIN = /^<!-- tour -->$/
const END = /^<!-- end of tour -->$/
const PROMPT = '$ '

export const hasTour = (document: string): boolean => /^<!-- tour -->$/m.test(document)

export function parseTour(document: string): Step[] {
  const steps: { command: string; shown: string[]; line: number }[] = []
  let inTour = false
  let inBlock = false
  let continues = false
  for (const [index, line] of document.split('\n').entries()) {
    if (BEGIN.test(line)) inTour = true
    else if (END.test(line)) inTour = false
    else if (inTour && line.startsWith('```')) {
      const opens: boolean = !inBlock && /^```(sh|bash|shell|console)$/.test(line)
      if (opens) steps.push({ command: '', shown: [], line: index + 1 })
      inBlock = opens
    } else if (inTour && inBlock) {
      const last = steps.at(-1) as (typeof steps)[number]
      if (continues) last.command += `\n${line}`
      else if (line.startsWith(PROMPT)) {
        steps.push({ command: line.slice(PROMPT.length), shown: [], line: index + 1 })
      } else last.shown.push(line)
      continues = (continues || line.startsWith(PROMPT)) && line.endsWith('\\')
    }
  }
  return steps
    .filter(({ command }) => command !== '')
    .map((step) => ({ ...step, shown: step.shown.filter((line) => line.trim() !== '') }))
}

/** Getting, starting and testing Shoal is what others test; here a cluster is there already. */
export const isSetUp = ({ command }: Step): boolean =>
  /^(git |cd |npm |(npx )?shoal dev\b)/.test(command)

/** The first shown line that the output does not hold, undefined when all are there. */
export function missingLine(shown: readonly string[], output: string): string | undefined {
  const lines = output.split('\n').map(withoutChance)
  let at = 0
  for (const wanted of shown) {
    if (wanted.trim() === '…') continue
    const pattern = patternOf(withoutChance(wanted))
    const found = lines.findIndex((line, index) => index >= at && pattern.test(line))
    if (found < 0) return wanted
    at = found + 1
  }
  return undefined
}

function patternOf(wanted: string): RegExp {
  const parts = wanted.split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  const end = /^[{[]/.test(wanted) ? '' : '$'
  return new RegExp(`^${parts.join('.*')}${end}`)
}

/** What differs from run to run, by name. */
function withoutChance(line: string): string {
  return line
    .replace(/\r$/, '')
    .trimEnd()
    .replace(/c1\.[\w-]+/g, '<context>')
    .replace(/\\?"(\d+\.)?[\w-]{22}\\?"/g, '<etag>')
    .replace(/\w{3}, \d{2} \w{3} \d{4} [\d:]{8} GMT/g, '<date>')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<date>')
    .replace(/^(Request-Id|Trace-Id|Shoal-Session): .*$/i, '$1: <id>')
    .replace(/\bdur=[\d.]+/g, 'dur=<time>')
    .replace(/\b[0-9a-f]{16}\b/g, '<id>')
    .replace(/\b(ack|primaries|durable|repaired)=\d/g, '$1=<count>')
}

/** One shell for a whole tour, so that its variables live on. */
export class Shell {
  readonly #child: ChildProcess
  readonly #home: string
  #output = ''
  #notify: () => void = () => {}

  constructor(variables: Readonly<Record<string, string>> = {}) {
    this.#home = mkdtempSync(join(tmpdir(), 'shoal-tour-'))
    // Off a terminal curl reports its progress, which nobody sees who follows the tour.
    writeFileSync(join(this.#home, '.curlrc'), 'silent\nshow-error\n')
    this.#child = spawn('bash', ['--noprofile', '--norc'], {
      cwd: repository,
      env: environment({ ...variables, CURL_HOME: this.#home, NO_COLOR: '1' }),
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#output += text
      this.#notify()
    })
    this.#child.once('close', () => this.#notify())
    // A value has no line end of its own; what is said beside it comes after it, as on a terminal.
    const told = join(this.#home, 'told')
    const shoal = `'${process.execPath}' '${script}' "$@" 2>'${told}'; local code=$?`
    const tell = `if [ -s '${told}' ]; then echo; cat '${told}'; fi; return $code`
    this.#write(`exec 2>&1\nshoal() { ${shoal}; ${tell}; }\nnpx() { "$@"; }\n`)
  }

  /** Runs a command to its end. */
  async run(command: string): Promise<{ output: string; code: number }> {
    const mark = `end-of-command-${process.pid}`
    this.#output = ''
    this.#write(`{ ${command}\n} </dev/null\nprintf '\\n%s %d\\n' '${mark}' "$?"\n`)
    const ended = new RegExp(`\\n${mark} (\\d+)\\n$`)
    await new Promise<void>((resolve, reject) => {
      this.#notify = () => {
        if (ended.test(this.#output)) resolve()
        else if (this.#child.exitCode !== null) reject(new Error(`the shell ended: ${command}`))
      }
    })
    const [all = '', code] = ended.exec(this.#output) ?? []
    return { output: this.#output.slice(0, -all.length), code: Number(code) }
  }

  #write(text: string): void {
    this.#child.stdin?.write(text)
  }

  close(): void {
    this.#child.kill('SIGKILL')
    rmSync(this.#home, { recursive: true, force: true })
  }
}
