/**
 * Who may ask for what: each route says in its options what it wants (`config.access`), and this is
 * where that is enforced. A route that says nothing is for administrators, so that one forgotten
 * shuts people out instead of letting them in; a test names it.
 */
import type { IncomingMessage } from 'node:http'
import { ShoalError } from '@shoal/kernel'
import type { FastifyInstance, RouteOptions } from 'fastify'
import { lacks, limited } from '../security/gate.ts'
import type { Access, Caller, Gate, RouteAccess, Scope } from '../security/scopes.ts'
import { Exchange } from './exchange.ts'
import type { BucketAndKey } from './path.ts'
import { pathOf, readBucketAlone, readBucketAndKey } from './path.ts'
import { describeAccess } from './schemas/access.ts'
import type { Services } from './services.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What a request of this route needs. */
    access?: Access
  }
}

/**
 * Puts the guard before the first hook of every route that is added from now on. Where nobody is
 * asked who they are there is no guard, and a request pays nothing.
 */
export function guardRoutes(app: FastifyInstance, services: Services): RouteAccess[] {
  const declared: RouteAccess[] = []
  app.addHook('onRoute', (route) => {
    const access = route.config?.access ?? accessOfPage(route)
    for (const method of [route.method].flat()) declared.push({ method, url: route.url, access })
    guardRoute(route, access ?? 'admin', services)
    const schema = describeAccess(route.schema, access ?? 'admin')
    if (schema !== undefined) route.schema = schema
  })
  return declared
}

/**
 * Pages that plugins add, whose routes cannot say it themselves. They are the same for everybody:
 * what they show they ask for in the browser, with the token of whoever looks.
 */
const openPages = ['/docs', '/ui']

const accessOfPage = ({ method, url }: RouteOptions): Access | undefined => {
  const isRead = [method].flat().every((each) => each === 'GET' || each === 'HEAD')
  const isPage = openPages.some((page) => url === page || url.startsWith(`${page}/`))
  return isRead && isPage ? 'open' : undefined
}

type OnRequest = Exclude<RouteOptions['onRequest'], unknown[] | undefined>

const guards = new WeakSet<object>()

function guardRoute(route: RouteOptions, access: Access, services: Services): void {
  const { gate } = services
  const hooks = [route.onRequest ?? []].flat()
  // A HEAD route that fastify adds beside a GET has its hooks already.
  if (hooks.some((hook) => guards.has(hook))) return
  const operation = route.config?.operation ?? 'other'
  const isAdmin = access === 'admin'
  // Copies of all rows, repairs of all keys: a token for some buckets must not reach the others.
  const isForAll = isAdmin && !route.url.includes(':bucket')
  if (access === 'open' || (gate === undefined && !isAdmin)) return
  const guard: OnRequest = (request, reply, done) => {
    const [from, to] = [request.raw, reply.raw]
    request.exchange ??= new Exchange(services, { request: from, response: to, operation })
    const { exchange } = request
    if (isAdmin) {
      auditWhenAnswered(exchange)
      if (isFromElsewhere(from)) {
        reply.hijack()
        return exchange.fail(elsewhere())
      }
    }
    if (gate !== undefined) {
      const admitted = admit(gate, { from, access, isForAll })
      if (admitted instanceof ShoalError) {
        reply.hijack()
        if (!isAdmin) auditRefusal(exchange, admitted)
        return exchange.fail(admitted)
      }
      exchange.caller = admitted
    }
    done()
  }
  guards.add(guard)
  route.onRequest = [guard, ...hooks]
}

/**
 * Where no token is asked for, a page of any site could have the browser of somebody on this
 * machine send what needs no reading of the answer. Browsers say where a request comes from, to
 * addresses of this machine too; programs say nothing.
 */
function isFromElsewhere({ headers }: IncomingMessage): boolean {
  const site = headers['sec-fetch-site']
  return site === 'cross-site' || site === 'same-site'
}

const elsewhere = (): ShoalError =>
  new ShoalError('SHOAL_FORBIDDEN', 'a page of another origin does not look after this cluster', {
    wanted: 'same-origin',
  })

function admit(
  gate: Gate,
  asked: { from: IncomingMessage; access: Exclude<Access, 'open'>; isForAll: boolean },
): Caller | ShoalError {
  const { from, access, isForAll } = asked
  const admitted = gate.admit(claimOf(from), access)
  if (admitted instanceof ShoalError || !isForAll || admitted.mayUseAll) return admitted
  const detail = `the token ${admitted.name} is not for all buckets`
  return new ShoalError('SHOAL_FORBIDDEN', detail, { wanted: '*' })
}

const claimOf = ({ headers, socket }: IncomingMessage) => ({
  authorization: headers.authorization,
  address: socket.remoteAddress ?? '',
})

/** What an administrator asked for is told when it is known how it ended. */
function auditWhenAnswered(exchange: Exchange): void {
  exchange.response.once('close', () => {
    const { response } = exchange
    exchange.services.audit.record('admin', {
      ...aboutRequest(exchange),
      // A client that went away before the answer may still have been obeyed.
      status: response.writableFinished ? response.statusCode : 0,
    })
  })
}

function auditRefusal(exchange: Exchange, { code, status }: ShoalError): void {
  if (code === 'SHOAL_RATE_LIMITED') return
  exchange.services.audit.recordSometimes('refused', { ...aboutRequest(exchange), status })
}

function aboutRequest({ request, id, caller }: Exchange) {
  const { method, url = '', socket } = request
  return {
    requestId: id,
    by: caller.name ?? 'anyone',
    address: socket.remoteAddress ?? '',
    method,
    path: pathOf(url).slice(0, PATH_CHARS_MAX),
  }
}

const PATH_CHARS_MAX = 1_024

/**
 * `{prefix}{bucket}/{key}` of a request whose sender may use the bucket.
 *
 * @throws SHOAL_FORBIDDEN, and what reading the path throws
 */
export function bucketAndKeyOf(exchange: Exchange, prefix: string): BucketAndKey {
  const found = readBucketAndKey(exchange.request.url ?? '', prefix)
  demandBucket(exchange.caller, found.bucket)
  exchange.bucket = found.bucket
  return found
}

/** `{prefix}{bucket}`, as `bucketAndKeyOf`. */
export function bucketOf(exchange: Exchange, prefix: string): string {
  const bucket = readBucketAlone(exchange.request.url ?? '', prefix)
  demandBucket(exchange.caller, bucket)
  exchange.bucket = bucket
  return bucket
}

/** @throws SHOAL_FORBIDDEN */
export function demandBucket(caller: Caller, bucket: string): void {
  if (caller.mayUse(bucket)) return
  const detail = `the token ${caller.name} is not for the bucket ${bucket}`
  throw new ShoalError('SHOAL_FORBIDDEN', detail, { wanted: bucket })
}

/** @throws SHOAL_FORBIDDEN */
export function demandScope(caller: Caller, scope: Scope): void {
  if (!caller.may(scope)) throw lacks(caller, scope)
}

/** @throws SHOAL_RATE_LIMITED */
export function spend(caller: Caller, operations: number): void {
  const wait = caller.spend(operations)
  if (wait > 0) throw limited('too many operations of this client', wait)
}
