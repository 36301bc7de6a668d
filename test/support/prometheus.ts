/** The text exposition format of Prometheus, 0.0.4, read strictly. */
export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

const sampleLine = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/
const labelText = /([a-zA-Z_]\w*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/g

/** @throws with the line that is wrong */
export function parseMetrics(text: string): Sample[] {
  const types = new Map<string, string>()
  const samples: Sample[] = []
  if (!text.endsWith('\n')) throw new Error('the last line does not end')
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('# HELP ')) continue
    const [, typed, type] = /^# TYPE (\S+) (counter|gauge|histogram|summary)$/.exec(line) ?? []
    if (typed !== undefined && type !== undefined) {
      if (types.has(typed)) throw new Error(`${typed} has two types`)
      types.set(typed, type)
      continue
    }
    samples.push(parseSample(line, types))
  }
  return samples
}

function parseSample(line: string, types: ReadonlyMap<string, string>): Sample {
  const [, name = '', labels = '', number = ''] = sampleLine.exec(line) ?? []
  const value = number === '+Inf' ? Number.POSITIVE_INFINITY : Number(number)
  if (name === '' || number === '' || Number.isNaN(value)) throw new Error(`not a sample: ${line}`)
  const family = name.replace(/_(bucket|sum|count)$/, '')
  if (!types.has(name) && !types.has(family)) throw new Error(`${name} has no type`)
  const found = [...labels.matchAll(labelText)]
  if (found.reduce((length, [all]) => length + all.length, 0) !== labels.length) {
    throw new Error(`not labels: ${line}`)
  }
  const pairs = found.map(([, label = '', text = '']) => [label, text])
  return { name, labels: Object.fromEntries(pairs) as Record<string, string>, value }
}

export function sumOf(
  samples: readonly Sample[],
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  return samples
    .filter((sample) => sample.name === name)
    .filter((sample) => Object.entries(labels).every(([key, text]) => sample.labels[key] === text))
    .reduce((sum, { value }) => sum + value, 0)
}
