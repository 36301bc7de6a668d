import type { Finding } from './finding.ts'
import type { Mutation } from './mutation.ts'

/** The page that says which bugs were planted and what noticed them. */
export function formatPlantedBugs(
  mutations: readonly Mutation[],
  findings: ReadonlyMap<string, Finding>,
): string {
  const known = mutations.flatMap(({ name }) => findings.get(name) ?? [])
  const noticed = known.filter(({ first }) => first > 0)
  return `${[
    '# Planted bugs',
    '',
    'A simulation that never fails proves nothing unless it fails when it should. Each line',
    'below breaks one rule of the protocol on purpose, in a line of the built code, while it is',
    'loaded; then seeds are run until a check notices. Rules are those of',
    '[guarantees.md](guarantees.md) and the code. A bug that shows only under certain faults is',
    'not run on seeds without them; they count as seeds that did not notice.',
    '',
    '    npm run planted-bugs -- [--names a,b] [--seeds 2000] [--jobs 2] [--write]',
    '',
    `${mutations.length} bugs are planted; of ${known.length} that were run, ` +
      `${noticed.length} were noticed. A row says how many seeds were run.`,
    `${formatControl(findings.get('control'))} This page is written by the command.`,
    '',
    '| bug | rule | what would go wrong | noticed in | first seed | by | run |',
    '|---|---|---|---|---|---|---|',
    ...mutations.map((mutation) => formatRow(mutation, findings.get(mutation.name))),
  ].join('\n')}\n`
}

/** Without a bug nothing may be noticed. */
function formatControl(control: Finding | undefined): string {
  if (!control) return 'The control, which is the code without a bug, has not been run yet.'
  const { found, sample, seconds } = control
  return `Without a bug something was noticed in ${found} of ${sample} seeds of ${seconds} s.`
}

function formatRow({ name, rule, harm }: Mutation, finding: Finding | undefined): string {
  const cells = finding
    ? [
        `${finding.found} of ${finding.sample}, ${finding.seconds} s`,
        finding.first > 0 ? `${finding.first}` : `none of ${finding.tried}`,
        finding.by.replaceAll('|', '/'),
        `${finding.date} ${finding.commit}`,
      ]
    : ['not run', '', '', '']
  return `| ${[name, rule, harm, ...cells].join(' | ')} |`
}
