/** `shoal get`. */
import type { GetOptions, Read, SiblingsRead, StoredValue } from '@shoal/client'
import { withClient } from '../cluster/connection.ts'
import { parseConsistency } from '../cluster/consistency.ts'
import { describeValue, readToJson, type Target } from '../data/answers.ts'
import type { DataOptions } from '../data/options.ts'
import { saveBytes } from '../data/output.ts'
import { traced, traceLines } from '../data/trace.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { UsageError } from '../failure.ts'
import { onOneLine, readableText } from '../format/plain-text.ts'
import { shellLine } from '../format/shell-line.ts'
import type { Io } from '../terminal.ts'

interface Options extends DataOptions {
  readonly file?: string
  readonly sibling?: string
  readonly resolve?: true
}

export async function get(
  io: Io,
  bucket: string,
  key: string,
  options: Options,
): Promise<ExitCode> {
  const target = { bucket, key }
  const { answer, trace } = await withClient(options, (client) => {
    const wanted: GetOptions = {
      consistency: parseConsistency(options.consistency),
      explain: options.trace,
      ...(options.resolve ? { siblings: 'resolve' } : {}),
    }
    const answering: Promise<Read> =
      options.sibling === undefined
        ? (client.get(bucket, key, wanted) as Promise<Read>)
        : client.getSibling(bucket, key, options.sibling, wanted)
    return traced(client, answering)
  })
  io.contexts?.keep(target, answer.context)
  if (options.json) io.out.json({ ...readToJson(target, answer), trace })
  else await showRead(io, target, answer, options)
  if (!options.json) io.err.lines(traceLines(trace, io.err.paint))
  return answer.kind === 'absent' ? exitCodes.notFound : exitCodes.done
}

async function showRead(io: Io, target: Target, read: Read, options: Options): Promise<void> {
  const { err } = io
  if (read.kind === 'absent') {
    err.line(`not found: ${onOneLine(target.key)} in ${target.bucket}`)
  } else if (read.kind === 'siblings') {
    if (options.file === undefined) await listSiblings(io, target, read)
    else await saveSiblings(io, read, options.file)
  } else {
    await showValue(io, read.value, options.file)
    if (!options.quiet) err.line(err.paint.dim(describeValue(read.value)))
    if (read.siblings > 1) {
      err.line(err.paint.yellow(`picked by the cluster among ${read.siblings} values`))
    }
  }
  if (!options.quiet && read.context !== '') err.line(err.paint.dim(`context ${read.context}`))
}

async function showValue({ out }: Io, value: StoredValue, file: string | undefined): Promise<void> {
  if (file !== undefined && file !== '-') return saveBytes(file, value.bytes())
  const text = readableText(value.bytes())
  if (out.isTerminal && file === undefined && text === undefined) {
    throw new UsageError(
      `the value is not text (${describeValue(value)}) and could upset the terminal`,
      'Write it to a file with --file FILE, or show it all the same with --file -.',
    )
  }
  await out.write(value.bytes())
  if (out.isTerminal && text !== undefined && !text.endsWith('\n')) out.line()
}

/** Every value with a line above it that cannot be taken for a part of it by a person. */
async function listSiblings(
  { out, err }: Io,
  { bucket, key }: Target,
  { siblings, context }: SiblingsRead,
): Promise<void> {
  const count = siblings.length
  out.line(out.paint.yellow(`${count} values, written without knowledge of each other`))
  for (const [index, value] of siblings.entries()) {
    out.line()
    out.line(out.paint.bold(`--- ${index + 1} of ${count}  ${describeValue(value)}`))
    const text = readableText(value.bytes())
    const one = ['shoal', 'get', bucket, key, '--sibling', value.etag]
    if (text === undefined) out.line(`(not text: ${shellLine([...one, '--file', 'FILE'])})`)
    else out.line(text.replace(/\n$/, ''))
  }
  const merge = shellLine(['shoal', 'put', bucket, key, 'VALUE', '--context', context])
  err.line(`to make them one: ${merge}`)
}

/** `FILE.1`, `FILE.2`, …, and never `FILE`: a script must not take one of them for the value. */
async function saveSiblings({ out, err }: Io, read: SiblingsRead, file: string): Promise<void> {
  if (file === '-')
    throw new UsageError('the key has several values', 'Choose one: --sibling ETAG.')
  const count = read.siblings.length
  err.line(err.paint.yellow(`${count} values, written without knowledge of each other`))
  for (const [index, value] of read.siblings.entries()) {
    const path = `${file}.${index + 1}`
    await saveBytes(path, value.bytes())
    out.line(`${path}  ${describeValue(value)}`)
  }
}
