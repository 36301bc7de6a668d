/**
 * Which way imports point. The rows are those of docs and `tools/architecture.json`: a package imports
 * only from rows below its own. `tools/arrows.mjs` runs this and compares the manifests with it.
 */
const { rows, highestRowImported } = require('./tools/architecture.json')

const rowOf = new Map(rows.flatMap((names, row) => names.map((name) => [name, row])))
const belowPackages = (names) => `^packages/(${names.join('|')})/`

const rowRules = [...rowOf].map(([name, row]) => {
  const highest = highestRowImported[name] ?? row - 1
  const barred = [...rowOf].filter(([other, otherRow]) => other !== name && otherRow > highest)
  return {
    name: `${name}-imports-from-below`,
    comment: `${name} stands in row ${row} and imports from rows 0 to ${highest}.`,
    severity: 'error',
    from: { path: `^packages/${name}/` },
    to: { path: belowPackages(barred.map(([other]) => other)) },
  }
})

module.exports = {
  forbidden: [
    ...rowRules.filter(({ to }) => !to.path.includes('()')),
    {
      name: 'no-cycles',
      comment: 'Two files that need each other are one file, or lack a third. Types count too.',
      severity: 'error',
      from: { path: '^(packages|test)/' },
      to: { circular: true },
    },
    {
      name: 'packages-meet-at-their-faces',
      comment: 'Import another package by its name, never by a path into it.',
      severity: 'error',
      from: { path: '^(?:packages/([^/]+)|(test))/' },
      to: { path: '^packages/[^/]+/(src|test)/', pathNot: '^packages/$1/' },
    },
    {
      name: 'core-is-pure',
      comment: 'A core knows neither node, nor a library, nor its own shell.',
      severity: 'error',
      from: { path: '^packages/([^/]+)/src/core/' },
      to: { path: '^packages/$1/src/(shell/|index\\.ts$)' },
    },
    {
      name: 'core-is-pure-of-libraries',
      comment: 'A core is handed what it needs; of node it may import hashes, and no library.',
      severity: 'error',
      from: { path: '^packages/[^/]+/src/core/' },
      to: {
        dependencyTypes: ['core', 'npm', 'npm-dev', 'npm-no-pkg', 'npm-unknown'],
        // Which functions of it are pure is for tools/tidy to say.
        pathNot: '^(packages/|(node:)?crypto$)',
      },
    },
    {
      name: 'sources-do-not-know-their-tests',
      comment: 'What a test needs from production code is imported by the test.',
      severity: 'error',
      from: { path: '^packages/([^/]+)/src/' },
      to: { path: '^(packages/$1/test|test|tools)/' },
    },
    {
      name: 'everything-resolves',
      comment: 'An import that leads nowhere.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    combinedDependencies: true,
    doNotFollow: { path: ['node_modules', '(^|/)dist/'] },
    exclude: { path: '(^|/)(\\.tests|\\.tap|\\.turbo)/' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'types', 'default', 'node'],
      extensions: ['.ts', '.mts', '.js', '.mjs', '.cjs', '.json'],
    },
  },
}
