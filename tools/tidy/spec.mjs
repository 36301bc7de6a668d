/**
 * A protocol package has a `SPEC.md` with numbered invariants. Each is named by a test of the
 * package, and no test of it names one that is written down nowhere.
 *
 * An invariant is introduced at the start of a list item, table row, heading or paragraph, in bold
 * or in backquotes: `- **C3** a clock never shrinks`, `| **C3** | … |`, `### C3 …`.
 */

const id = '([A-Z]{1,4}-?\\d{1,3}[a-z]?)\\b'
const introductions = [
  new RegExp(`^\\s*(?:[-*+]\\s+|\\|\\s*|\\d+\\.\\s+)?(?:\\*\\*|__|\`)${id}`),
  new RegExp(`^#{2,6}\\s+${id}`),
]

/** @param {readonly import('./files.mjs').SourceFile[]} files */
export function* findSpec(files) {
  const documents = files.filter(({ path }) => path.endsWith('.md'))
  const known = new Set(documents.flatMap((file) => [...introducedIn(file).keys()]))
  for (const spec of documents.filter(({ path }) => /^packages\/[^/]+\/SPEC\.md$/.test(path))) {
    const tests = files.filter((file) => file.package === spec.package && file.kind === 'test')
    yield* compare(spec, tests, known)
  }
}

function* compare(spec, tests, known) {
  const introduced = introducedIn(spec)
  const families = new Set([...introduced.keys()].map(familyOf))
  const cited = new Map()
  for (const test of tests) {
    for (const { id, line } of idsIn(test)) {
      if (families.has(familyOf(id)) && !cited.has(id)) cited.set(id, { path: test.path, line })
    }
  }
  for (const [id, line] of introduced) {
    if (cited.has(id)) continue
    yield { rule: 'spec', path: spec.path, line, message: `no test of this package names ${id}` }
  }
  for (const [id, { path, line }] of cited) {
    if (known.has(id)) continue
    yield { rule: 'spec', path, line, message: `no document introduces ${id}` }
  }
}

function introducedIn(spec) {
  const introduced = new Map()
  for (const [index, line] of spec.lines.entries()) {
    const found = introductions.map((form) => form.exec(line)?.[1]).find(Boolean)
    if (found && !introduced.has(found)) introduced.set(found, index + 1)
  }
  return introduced
}

/** `C` of `C3`, `INV-` of `INV-3`: tests may cite other documents' numbers, of other families. */
const familyOf = (id) => /^[A-Z]+-?/.exec(id)[0]

const anywhere = new RegExp(`\\b${id}`, 'g')

function* idsIn(file) {
  for (const [index, line] of file.lines.entries()) {
    for (const [found] of line.matchAll(anywhere)) yield { id: found, line: index + 1 }
  }
}
