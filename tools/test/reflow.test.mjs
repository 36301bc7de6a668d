import t from 'tap'
import { reflow } from '../tidy/reflow.mjs'

const words = (count) => Array.from({ length: count }, (_, at) => `word${at % 10}`).join(' ')
const widest = (text) => Math.max(...text.split('\n').map((line) => line.length))

t.test('a comment too long is broken between words, and keeps them all', async (t) => {
  const before = `  // ${words(40)}\n  f()\n`
  const after = reflow('x.ts', before)
  t.ok(widest(after) <= 100)
  t.equal(after.replace(/\s*\/\/\s*/g, ' ').trim(), before.replace(/\s*\/\/\s*/g, ' ').trim())
})

t.test('a docstring of one line becomes one of several', async (t) => {
  t.equal(
    reflow('x.ts', `/** ${words(17)} end */\nf()\n`),
    `/**\n * ${words(16)}\n * word6 end\n */\nf()\n`,
  )
})

t.test('items and tags hang, and paragraphs beside the long one stay', async (t) => {
  const before = ['/**', ' * Short.', ' *', ` * - ${words(17)}`, ' * - b', ' */', 'f()'].join('\n')
  const after = ['/**', ' * Short.', ' *', ` * - ${words(16)}`, ' *   word6', ' * - b', ' */']
  t.equal(reflow('x.ts', before), [...after, 'f()'].join('\n'))
})

t.test('tables, fences, strings and comments behind code are left alone', async (t) => {
  const long = 'x'.repeat(60)
  for (const text of [
    `// | ${long} | ${long} |\nf()\n`,
    `/**\n * \`\`\`\n * ${long} ${long}\n * \`\`\`\n */\nf()\n`,
    `f('// ${long} ${long}')\n`,
    `f() // ${long} ${long}\n`,
  ]) {
    t.equal(reflow('x.ts', text), text)
  }
})

t.test('what was reflowed once is not changed again', async (t) => {
  const once = reflow('x.ts', `/** ${words(60)}\n *\n * @param x  ${words(30)}\n */\nf()\n`)
  t.equal(reflow('x.ts', once), once)
})
