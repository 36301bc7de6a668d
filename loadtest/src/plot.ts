/** Lines over time as SVG: small, without a script, readable on light and dark pages. */

export interface Line {
  readonly name: string
  /** Undefined where there is nothing to show: the line is broken there. */
  readonly points: readonly (readonly [seconds: number, value: number | undefined])[]
}

export interface Plot {
  readonly title: string
  /** Of the values. */
  readonly unit: string
  readonly lines: readonly Line[]
  /** Vertical lines. */
  readonly marks?: readonly { readonly atSeconds: number; readonly what: string }[]
  readonly isLogarithmic?: boolean
}

const WIDTH = 800
const HEIGHT = 300
const BOX = { left: 62, right: 660, top: 40, bottom: 262 }
const COLOURS = ['#3b82c4', '#d9772b', '#4d9a51', '#b5538b', '#8a6fd0', '#937046', '#5b9ea6']
const TICKS = 5

export function drawPlot(plot: Plot): string {
  const { title, unit, lines, marks = [] } = plot
  const x = scaleOfTime(plot)
  const y = scaleOfValues(plot)
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img">`,
    `<title>${escaped(title)}</title>`,
    STYLE,
    text({ x: BOX.left, y: 22, className: 'title' }, `${title}, ${unit}`),
    ...y.ticks.flatMap((value) => [
      `<path class="grid" d="M${BOX.left} ${y.at(value)}H${BOX.right}"/>`,
      text({ x: BOX.left - 8, y: y.at(value) + 4, anchor: 'end' }, figure(value)),
    ]),
    ...x.ticks.map((seconds) =>
      text({ x: x.at(seconds), y: BOX.bottom + 18, anchor: 'middle' }, `${figure(seconds)} s`),
    ),
    ...marks.flatMap(({ atSeconds, what }) => [
      `<path class="mark" d="M${x.at(atSeconds)} ${BOX.top}V${BOX.bottom}"/>`,
      text({ x: x.at(atSeconds) + 4, y: BOX.top + 10 }, what),
    ]),
    ...lines.map(({ points }, index) => {
      const path = pathOf(points, x.at, y.at)
      return `<path class="line" stroke="${colour(index)}" d="${path}"/>`
    }),
    ...lines.flatMap(({ name }, index) => {
      const top = BOX.top + 6 + index * 20
      const stroke = colour(index)
      return [
        `<path class="line" stroke="${stroke}" d="M${BOX.right + 14} ${top}h18"/>`,
        text({ x: BOX.right + 38, y: top + 4 }, name),
      ]
    }),
    '</svg>\n',
  ].join('\n')
}

const STYLE = `<style>
text { font: 12px system-ui, sans-serif; fill: #555 }
.title { font-weight: 600; font-size: 14px; fill: #222 }
.grid { stroke: #8884; fill: none }
.mark { stroke: #c33; stroke-dasharray: 4 3; fill: none }
.line { fill: none; stroke-width: 1.8; stroke-linejoin: round }
@media (prefers-color-scheme: dark) { text { fill: #aaa } .title { fill: #eee } }
</style>`

interface Scale {
  readonly ticks: readonly number[]
  at(value: number): number
}

function scaleOfTime({ lines, marks = [] }: Plot): Scale {
  const times = lines.flatMap(({ points }) => points.map(([seconds]) => seconds))
  const last = Math.max(1, ...times, ...marks.map(({ atSeconds }) => atSeconds))
  const { left, right } = BOX
  return {
    ticks: upTo(last),
    at: (seconds) => round(left + (seconds / last) * (right - left)),
  }
}

function scaleOfValues({ lines, isLogarithmic = false }: Plot): Scale {
  const values = lines.flatMap(({ points }) => points.flatMap(([, value]) => value ?? []))
  const { top, bottom } = BOX
  if (!isLogarithmic) {
    const ticks = upTo(Math.max(Number.MIN_VALUE, ...values, ...(values.some(Boolean) ? [] : [1])))
    const highest = Math.max(...ticks, ...values)
    return { ticks, at: (value) => round(bottom - (value / highest) * (bottom - top)) }
  }
  const above = values.filter((value) => value > 0)
  const from = Math.floor(Math.log10(Math.min(1, ...above)))
  const to = Math.max(from + 1, Math.ceil(Math.log10(Math.max(1, ...above))))
  return {
    ticks: Array.from({ length: to - from + 1 }, (_, index) => 10 ** (from + index)),
    at: (value) => {
      const share = (Math.log10(Math.max(value, 10 ** from)) - from) / (to - from)
      return round(bottom - share * (bottom - top))
    },
  }
}

/** 0 and a few round numbers, the last not above the highest value. */
function upTo(highest: number): number[] {
  const rough = highest / TICKS
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10) * power
  return Array.from({ length: Math.floor(highest / step) + 1 }, (_, index) => index * step)
}

function pathOf(
  points: Line['points'],
  x: (seconds: number) => number,
  y: (value: number) => number,
): string {
  let isDown = false
  return points
    .map(([seconds, value]) => {
      if (value === undefined) {
        isDown = false
        return ''
      }
      const command = isDown ? 'L' : 'M'
      isDown = true
      return `${command}${x(seconds)} ${y(value)}`
    })
    .join('')
}

const colour = (index: number): string => COLOURS[index % COLOURS.length] ?? '#888'

const round = (value: number): number => Math.round(value * 10) / 10

const figure = (value: number): string => String(Number(value.toPrecision(3)))

function text(
  {
    x,
    y,
    anchor = 'start',
    className = '',
  }: {
    x: number
    y: number
    anchor?: 'start' | 'middle' | 'end'
    className?: string
  },
  content: string,
): string {
  const about = className === '' ? '' : ` class="${className}"`
  return `<text x="${x}" y="${y}" text-anchor="${anchor}"${about}>${escaped(content)}</text>`
}

const escaped = (content: string): string =>
  content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
