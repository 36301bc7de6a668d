/** The examples of the README are programs: they compile as they stand. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import ts from 'typescript'

const home = join(import.meta.dirname, '..', '..')

t.test('every example of the README type-checks', async (t) => {
  const folder = mkdtempSync(join(home, 'dist', 'readme-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const text = readFileSync(join(home, 'README.md'), 'utf8')
  const examples = [...text.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code!)
  t.ok(examples.length >= 5)
  // The first example makes the client that the others use.
  const [first = ''] = examples
  const opening = first.slice(0, first.indexOf('\n\n') + 1)
  const files = examples.map((code, index) => {
    const file = join(folder, `example-${index}.ts`)
    writeFileSync(file, `${index === 0 ? '' : opening}${code}\nexport {}\n`)
    return file
  })
  const { config } = ts.readConfigFile(
    join(home, '..', '..', 'tsconfig.base.json'),
    ts.sys.readFile,
  )
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, home)
  const program = ts.createProgram(files, {
    ...options,
    noEmit: true,
    composite: false,
    noUnusedLocals: false,
  })
  const faults = ts.getPreEmitDiagnostics(program).map(({ messageText, file, start }) => {
    const line = file && start !== undefined ? file.getLineAndCharacterOfPosition(start).line : 0
    return `${file?.fileName}:${line + 1} ${ts.flattenDiagnosticMessageText(messageText, '\n')}`
  })
  t.same(faults, [])
})
