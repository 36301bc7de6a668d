/** The document says what the routes do, for all of them. */
import t from 'tap'
import { openFace } from './doubles.ts'
import { call, jsonOf } from './talk.ts'

interface Json {
  readonly [member: string]: Json
}
interface Parameter {
  readonly name: string
  readonly in: string
  readonly required?: boolean
  readonly schema?: object
}
interface Operation {
  readonly operationId?: string
  readonly summary?: string
  readonly tags?: readonly string[]
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: { readonly content: object }
  readonly responses: Readonly<
    Record<string, { description: string; content?: object; headers?: object }>
  >
}
interface Document {
  readonly openapi: string
  readonly info: { readonly title: string; readonly version: string }
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly tags: readonly { readonly name: string }[]
}

/** What the issue names, so that a route that is forgotten is missed. */
const routes: Record<string, string[]> = {
  '/v1/kv/{bucket}/{key}': ['delete', 'get', 'head', 'put'],
  '/v1/kv/{bucket}': ['get'],
  '/v1/batch': ['post'],
  '/v1/buckets': ['get'],
  '/v1/buckets/{bucket}': ['delete', 'get', 'put'],
  '/v1/explain/{bucket}/{key}': ['get'],
  '/v1/cluster': ['get'],
  '/v1/ring': ['get'],
  '/v1/nodes': ['get'],
  '/v1/traces/{id}': ['get'],
  '/v1/events': ['get'],
  '/v1/hints': ['get'],
  '/v1/hints/sync': ['post'],
  '/v1/repairs': ['get', 'post'],
  '/v1/repairs/pause': ['post'],
  '/v1/repairs/resume': ['post'],
  '/v1/jobs/{id}': ['get'],
  '/livez': ['get'],
  '/readyz': ['get'],
  '/healthz': ['get'],
  '/metrics': ['get'],
  '/v1/backup/{partition}': ['get'],
  '/v1/backup/{partition}/digests': ['get'],
  '/v1/restore': ['post'],
  '/openapi.json': ['get'],
}

t.test('the document covers every route and holds together', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  const answer = await call(face, 'GET', '/openapi.json')
  t.equal(answer.headers['content-type'], 'application/json')
  const document = jsonOf<Document>(answer)
  t.equal(document.openapi, '3.1.0')
  t.match(document.info, { title: 'Shoal', version: '0.1.0' })
  const found = Object.fromEntries(
    Object.entries(document.paths).map(([path, methods]) => [path, Object.keys(methods).sort()]),
  )
  t.same(found, routes)
  const ids = new Set<string>()
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const name = `${method} ${path}`
      t.ok(operation.operationId && !ids.has(operation.operationId), `${name} has an id of its own`)
      ids.add(operation.operationId ?? '')
      t.ok(operation.summary, `${name} has a summary`)
      t.ok(
        document.tags.some((tag) => tag.name === operation.tags?.[0]),
        `${name} has a known tag`,
      )
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, parameter]) => parameter)
      const declared = operation.parameters ?? []
      t.same(
        declared.filter((one) => one.in === 'path').map((one) => one.name),
        inPath,
        name,
      )
      t.ok(
        declared.every((one) => one.schema && (one.in !== 'path' || one.required)),
        name,
      )
      for (const [status, response] of Object.entries(operation.responses)) {
        t.match(status, /^[2-5]\d\d$/, `${name} ${status}`)
        t.ok(
          response.description && response.description !== 'Default Response',
          `${name} ${status}`,
        )
        const problem = Number(status) >= 400 && method !== 'head'
        if (problem) t.same(Object.keys(response.content ?? {}), ['application/problem+json'], name)
        t.ok(
          response.headers && 'Request-Id' in response.headers,
          `${name} ${status} names its headers`,
        )
      }
    }
  }
})

/** What OpenAPI 3.1 lets stand in each object; anything else makes tools refuse the document. */
const allowed = {
  document: ['openapi', 'info', 'servers', 'paths', 'components', 'tags'],
  operation: [
    'tags',
    'summary',
    'description',
    'operationId',
    'parameters',
    'requestBody',
    'responses',
    'security',
  ],
  parameter: ['name', 'in', 'description', 'required', 'schema', 'example', 'examples'],
  requestBody: ['description', 'content', 'required'],
  response: ['description', 'headers', 'content'],
  header: ['description', 'schema', 'example', 'examples'],
  media: ['schema', 'example', 'examples'],
} as const

const jsonTypes = ['array', 'boolean', 'integer', 'null', 'number', 'object', 'string']

t.test('what a route asks for stands in the document', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  const document = jsonOf<{
    paths: Record<string, Record<string, { security?: object[]; responses: object }>>
    components: { securitySchemes: object }
  }>(await call(face, 'GET', '/openapi.json'))
  t.match(document.components.securitySchemes, { token: { type: 'http', scheme: 'bearer' } })
  for (const { method, url, access } of face.app.access) {
    const path = url.replace(/:(\w+)/g, '{$1}')
    const operation = document.paths[path]?.[method.toLowerCase()]
    if (operation === undefined) continue
    const security = access === 'token' ? [{ token: [] }] : [{ token: [access] }]
    t.same(operation.security, access === 'open' ? undefined : security, `${method} ${path}`)
    const refusals = Object.keys(operation.responses).filter((status) => /401|403|429/.test(status))
    t.same(refusals, access === 'open' ? [] : ['401', '403', '429'], `${method} ${path}`)
  }
})

t.test('nothing stands in the document that OpenAPI 3.1 does not know', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  const document = jsonOf<Json>(await call(face, 'GET', '/openapi.json'))
  const check = (kind: keyof typeof allowed, object: Json | undefined, name: string): void => {
    const known: readonly string[] = allowed[kind]
    const strangers = Object.keys(object ?? {}).filter((member) => !known.includes(member))
    t.same(strangers, [], `${name}: ${kind}`)
  }
  const checkSchema = (schema: unknown, name: string): void => {
    if (typeof schema !== 'object' || schema === null) return
    const { type, $ref, properties, required, items } = schema as Record<string, unknown>
    t.notOk($ref, `${name} is written out`)
    if (type !== undefined) t.ok(jsonTypes.includes(String(type)), `${name}: ${String(type)}`)
    if (required !== undefined) t.ok(Array.isArray(required), `${name}: required is a list`)
    for (const [member, inner] of Object.entries(properties ?? {})) {
      checkSchema(inner, `${name}.${member}`)
    }
    checkSchema(items, `${name}[]`)
  }
  const checkContent = (content: Json | undefined, name: string): void => {
    for (const [type, media] of Object.entries(content ?? {})) {
      t.match(type, /^[a-z*]+\/[a-z*.+-]+$/, name)
      check('media', media, `${name} ${type}`)
      checkSchema(media.schema, `${name} ${type}`)
    }
  }
  check('document', document, 'document')
  for (const [path, methods] of Object.entries(document.paths ?? {})) {
    for (const [method, operation] of Object.entries(methods)) {
      const name = `${method} ${path}`
      check('operation', operation, name)
      for (const parameter of (operation.parameters ?? []) as unknown as Json[]) {
        check('parameter', parameter, name)
        checkSchema(parameter.schema, name)
      }
      check('requestBody', operation.requestBody, name)
      checkContent(operation.requestBody?.content, name)
      for (const [status, response] of Object.entries(operation.responses ?? {})) {
        check('response', response, `${name} ${status}`)
        checkContent(response.content, `${name} ${status}`)
        for (const [header, about] of Object.entries(response.headers ?? {})) {
          check('header', about, `${name} ${status} ${header}`)
        }
      }
    }
  }
})

t.test('headers of the key routes are the ones of the contract', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  const { paths } = jsonOf<Document>(await call(face, 'GET', '/openapi.json'))
  const put = paths['/v1/kv/{bucket}/{key}']?.put
  const names = put?.parameters?.filter((one) => one.in === 'header').map((one) => one.name)
  t.same(names?.sort(), [
    'Causal-Context',
    'Consistency',
    'Content-Encoding',
    'Content-Type',
    'Explain',
    'Idempotency-Key',
    'If-Match',
    'If-None-Match',
    'Shoal-Session',
    'Shoal-Timeout',
    'TTL',
    'X-Consistency',
    'traceparent',
  ])
  t.ok(put?.requestBody && '*/*' in put.requestBody.content)
  t.match(Object.keys(put?.responses['204']?.headers ?? {}).sort(), [
    'Cache-Control',
    'Causal-Context',
    'Consistency',
    'ETag',
    'Last-Modified',
    'Receipt',
    'Request-Id',
    'Server-Timing',
    'Shoal-Session',
    'Siblings',
    'Trace-Id',
  ])
})

t.test('the docs page is served by this node alone', async (t) => {
  const face = await openFace()
  t.teardown(() => face.app.close())
  const page = await call(face, 'GET', '/docs')
  t.equal(page.status, 200)
  t.match(page.headers, {
    'content-type': /^text\/html/,
    'request-id': String,
    'cache-control': String,
  })
  t.match(page.headers['content-security-policy'], /default-src 'self'/)
  const html = page.body.toString()
  const assets = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, asset]) => asset ?? '')
  t.ok(assets.length >= 5)
  for (const asset of assets) {
    t.match(asset, /^\/docs\/static\//, 'from here')
    t.equal((await call(face, 'GET', asset)).status, 200, asset)
  }
  const initializer = await call(face, 'GET', '/docs/static/swagger-initializer.js')
  t.match(initializer.body.toString(), /"\/openapi\.json"/)
  t.notMatch(initializer.body.toString(), /validator\.swagger\.io/)
  const lost = await call(face, 'GET', '/docs/static/nothing.js')
  t.equal(lost.status, 404)
  t.equal(lost.headers['content-type'], 'application/problem+json')
})
