/** The machine and the runtime, from facts that are handed in. */
import { limits } from '@shoal/kernel'
import { formatCount } from '../format/quantities.ts'
import { type Finding, failure, ok, warning } from './finding.ts'

export interface Machine {
  /** Of Node.js, without the `v`. */
  readonly nodeVersion: string
  readonly platform: string
  readonly arch: string
  /** Undefined where the C library is another one. */
  readonly glibc: string | undefined
  /** The soft limit on open files; undefined where the system does not tell. */
  readonly openFiles: number | undefined
}

export function lookAtMachine(): Machine {
  const { header, userLimits } = processReport()
  const soft = userLimits?.open_files?.soft
  return {
    nodeVersion: process.versions.node,
    platform: process.platform,
    arch: process.arch,
    glibc: header?.glibcVersionRuntime,
    openFiles: soft === 'unlimited' ? Number.POSITIVE_INFINITY : soft,
  }
}

interface Report {
  readonly header?: { readonly glibcVersionRuntime?: string }
  readonly userLimits?: { readonly open_files?: { readonly soft?: number | 'unlimited' } }
}

function processReport(): Report {
  if (process.report === undefined) return {}
  // Otherwise it would ask the name server for the name of every open connection. Node 20's types
  // do not know the setting.
  Object.assign(process.report, { excludeNetwork: true })
  return process.report.getReport() as Report
}

const NODE_MIN: readonly [number, number] = [20, 19]

export function judgeNodeVersion({ nodeVersion }: Machine): Finding {
  const [major = 0, minor = 0] = nodeVersion.split('.').map(Number)
  const [leastMajor, leastMinor] = NODE_MIN
  const enough = major > leastMajor || (major === leastMajor && minor >= leastMinor)
  return enough
    ? ok('Node.js', nodeVersion)
    : failure('Node.js', nodeVersion, `install ${NODE_MIN.join('.')} or newer; 24 LTS is best`)
}

/** The store comes with binaries for two platforms; elsewhere it would have to be compiled. */
export function judgePlatform({ platform, arch, glibc }: Machine): Finding {
  const name = `${platform} ${arch}`
  if (platform === 'darwin' && arch === 'arm64') return ok('platform', name)
  if (platform === 'linux' && glibc === undefined) {
    return failure(
      'platform',
      `${name} without glibc`,
      'use one with glibc, such as debian-slim: musl systems, Alpine too, cannot load the store',
    )
  }
  if (platform === 'linux' && arch === 'x64') return ok('platform', `${name}, glibc ${glibc}`)
  return warning(
    'platform',
    name,
    'no binary of the store comes for it; it works only if one was compiled at installation',
  )
}

/** A connection or a table of the store each take one; what is left over is for peers and logs. */
const OPEN_FILES_WANTED = 2 * limits.connectionsMax

export function judgeOpenFiles({ openFiles }: Machine): Finding {
  if (openFiles === undefined) return ok('open files', 'the system does not tell')
  const found = Number.isFinite(openFiles) ? formatCount(openFiles) : 'unlimited'
  if (openFiles >= OPEN_FILES_WANTED) return ok('open files', found)
  const least = OPEN_FILES_WANTED
  const advice = `ulimit -n ${least}, or LimitNOFILE=${least} in the systemd unit`
  return openFiles < limits.connectionsMax / 4
    ? failure('open files', `${found} at most`, advice)
    : warning('open files', `${found} at most`, advice)
}
