/**
 * Follows one stream of TAP and counts what it says.
 *
 * tap counts assertions, of which a loop makes thousands. A person counts tests: the blocks with a
 * name. So a block is one test if it asserts something itself or holds no further block; it has
 * failed if one of its own assertions did, or if it ended badly though all of them held (crash,
 * plan not kept).
 */

/**
 * @typedef {object} Failure
 * @property {string[]} path     names of the blocks around it, outermost first
 * @property {string} message
 * @property {Record<string, any> | undefined} details  tap's diagnostics
 *
 * @typedef {{ name: string, reason: string }} LeftOut  a test that did not run and says why
 *
 * @typedef {object} Block
 * @property {string} name
 * @property {Block[]} blocks
 * @property {number} assertions
 * @property {number} skipped
 * @property {LeftOut[]} leftOut
 * @property {{ message: string, details?: Record<string, any> }[]} failures  of its own assertions
 * @property {boolean} ok        whether the block as a whole held
 * @property {string[]} output   what was printed between the TAP lines
 *
 * @typedef {object} Counts
 * @property {number} passed
 * @property {number} failed
 * @property {number} skipped
 * @property {number} assertions
 * @property {Failure[]} failures
 * @property {LeftOut[]} leftOut
 */

/**
 * @param {import('tap-parser').Parser} parser  before it has seen anything
 * @param {string} name
 * @returns {Block} filled while the parser reads
 */
export function follow(parser, name) {
  /** @type {Block} */
  const block = {
    name,
    blocks: [],
    assertions: 0,
    skipped: 0,
    leftOut: [],
    failures: [],
    ok: true,
    output: [],
  }
  parser.on('child', (child) => block.blocks.push(follow(child, child.name)))
  parser.on('assert', (point) => notePoint(block, point))
  parser.on('extra', (text) => block.output.push(text))
  parser.on('complete', (results) => {
    block.ok = results.ok
    for (const { tapError } of results.failures) if (tapError) fail(block, tapError)
    if (results.bailout) fail(block, `bailed out: ${results.bailout}`)
  })
  return block
}

function notePoint(block, point) {
  // The point that closes a block repeats what its own points have said.
  if (point.closingTestPoint) return
  if (point.skip || point.todo) {
    block.skipped++
    const reason = point.skip || point.todo
    if (typeof reason === 'string') block.leftOut.push({ name: point.name, reason })
    return
  }
  block.assertions++
  if (!point.ok) fail(block, point.name || 'an assertion without a name', point.diag ?? undefined)
}

const fail = (block, message, details) => block.failures.push({ message, details })

/** @returns {Counts} of the block and all within it */
export function count(block, outer = []) {
  const path = [...outer, block.name]
  const within = block.blocks.map((each) => count(each, path))
  const counts = total(within)
  counts.skipped += block.skipped
  counts.leftOut = [...block.leftOut, ...counts.leftOut]
  counts.assertions += block.assertions

  const own = block.failures.map(({ message, details }) => ({ path, message, details }))
  if (!block.ok && own.length === 0 && counts.failed === 0) {
    own.push({ path, message: 'ended badly, though every assertion held', details: undefined })
  }
  counts.failures = [...own, ...counts.failures]
  if (own.length > 0) counts.failed++
  else if (block.assertions > 0) counts.passed++
  return counts
}

/** @param {readonly Counts[]} all */
export function total(all) {
  /** @type {Counts} */
  const sum = { passed: 0, failed: 0, skipped: 0, assertions: 0, failures: [], leftOut: [] }
  for (const each of all) {
    sum.passed += each.passed
    sum.failed += each.failed
    sum.skipped += each.skipped
    sum.assertions += each.assertions
    sum.failures.push(...each.failures)
    sum.leftOut.push(...each.leftOut)
  }
  return sum
}

const detailsOfTap = new Set(['at', 'stack', 'source', 'diff', 'compare', 'tapCaught', 'generated'])

/**
 * A failure as a person wants to read it: where, what, the difference, then everything else.
 *
 * @param {Failure} failure
 * @param {string} place  the folder that paths in it are relative to
 */
export function describeFailure({ path, message, details = {} }, place) {
  const lines = [`FAIL ${path.join(' > ')}`, `  ${message}`]
  const { at, diff, source, stack } = details
  if (at?.fileName) lines.push(`  at ${place}/${at.fileName}:${at.lineNumber}:${at.columnNumber}`)
  if (source) lines.push(indent(source, '    '))
  if (diff) lines.push(indent(diff, '    '))
  for (const [name, value] of Object.entries(details)) {
    if (!detailsOfTap.has(name)) lines.push(indent(`${name}: ${show(value)}`, '    '))
  }
  if (stack && !source) lines.push(indent(stack, '    '))
  return lines.join('\n')
}

const show = (value) => (typeof value === 'string' ? value : JSON.stringify(value, undefined, 2))

const indent = (text, by) =>
  String(text)
    .trimEnd()
    .split('\n')
    .map((line) => `${by}${line}`.trimEnd())
    .join('\n')
