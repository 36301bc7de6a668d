/** Requests that no route takes: a wrong path, or a wrong method on a right one. */
import { ShoalError } from '@shoal/kernel'
import { headerNames } from '@shoal/wire'
import type { Exchange } from './exchange.ts'
import { pathOf } from './path.ts'

interface Known {
  readonly pattern: RegExp
  readonly methods: Set<string>
}

/** The routes as they were added, to tell 404 from 405. Asked only when no route was found. */
export class RouteTable {
  readonly #routes = new Map<string, Known>()

  add(url: string, methods: readonly string[]): void {
    const known = this.#routes.get(url) ?? { pattern: toPattern(url), methods: new Set() }
    for (const method of methods) known.methods.add(method)
    this.#routes.set(url, known)
  }

  /** The methods that a path has, empty for a path that is none. */
  methodsOf(path: string): readonly string[] {
    const methods = new Set<string>()
    for (const { pattern, methods: known } of this.#routes.values()) {
      if (pattern.test(path)) for (const method of known) methods.add(method)
    }
    return [...methods].sort()
  }

  get paths(): readonly string[] {
    return [...this.#routes.keys()]
  }
}

/** `:name` stands for one segment, `*` at the end for any number of them. */
const toPattern = (url: string): RegExp => {
  const segments = url.replaceAll('.', '\\.').split('/')
  const patterns = segments.map((segment) =>
    segment === '*' ? '.*' : segment.startsWith(':') ? '[^/]*' : segment,
  )
  return new RegExp(`^${patterns.join('/')}$`)
}

/** 405 with `Allow`, or 404. */
export function answerUnrouted(exchange: Exchange, routes: RouteTable): void {
  const { request } = exchange
  const path = pathOf(request.url ?? '')
  const methods = routes.methodsOf(path)
  if (methods.length > 0 && !methods.includes(request.method ?? '')) {
    const allow = methods.join(', ')
    const detail = `${path} has ${allow}, not ${request.method}`
    const error = new ShoalError('SHOAL_METHOD_NOT_ALLOWED', detail, {
      wanted: allow,
      got: request.method ?? '',
    })
    return exchange.fail(error, [headerNames.allow, allow])
  }
  exchange.fail(new ShoalError('SHOAL_ROUTE_NOT_FOUND', describe(path)))
}

function describe(path: string): string {
  const shown = path.length > 200 ? `${path.slice(0, 200)}…` : path
  const extra = /^\/v1\/(?:kv|explain)\/[^/]+\/[^/]*\//.test(path)
  const hint = extra ? '; a key is one segment, so write a slash in it as %2F' : ''
  return `there is no ${shown}${hint}`
}
