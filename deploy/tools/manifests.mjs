/**
 * Writes `kubernetes/shoal.yaml`, for those who do not use Helm: what the chart renders as it is.
 *
 *     npm run manifests
 */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { locate } from '../../tools/lib/outside.mjs'

const chart = fileURLToPath(new URL('../helm/shoal', import.meta.url))

const head = `# Written by \`npm run manifests\` from deploy/helm/shoal. Change it there.
#
#     kubectl apply --filename deploy/kubernetes/namespace.yaml
#     kubectl --namespace shoal create secret generic shoal \\
#       --from-file=cluster=secret --from-file=tokens=tokens.toml
#     kubectl apply --filename deploy/kubernetes/shoal.yaml
`

/** @returns {Promise<string>} */
export async function rendered() {
  const options = ['--namespace', 'shoal', '--kube-version', '1.30']
  const text = execFileSync(locate('helm'), ['template', 'shoal', chart, ...options], {
    encoding: 'utf8',
  })
  const plain = text
    .replaceAll(/^# Source: .*\n/gm, '')
    .replaceAll('managed-by: Helm', 'managed-by: kubectl')
  return head + plain
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(new URL('../kubernetes/shoal.yaml', import.meta.url), await rendered())
}
