/** What a query of Prometheus asks for, by the grammar of Prometheus itself. */
import { parser } from '@prometheus-io/lezer-promql'

/**
 * @typedef {object} Asked
 * @property {string[]} metrics  names
 * @property {string[]} labels   that are compared or grouped by
 * @property {string[]} faults   places that are no PromQL
 */

/** @returns {Asked} */
export function askedBy(expression) {
  const asked = { metrics: [], labels: [], faults: [] }
  parser.parse(expression).iterate({
    enter({ name, type, from, to, node }) {
      const text = expression.slice(from, to)
      if (type.isError) asked.faults.push(`at ${from}: ${expression.slice(from, from + 20)}`)
      if (name === 'Identifier' && node.parent?.name === 'VectorSelector') asked.metrics.push(text)
      if (name === 'LabelName') asked.labels.push(text)
    },
  })
  return asked
}

/** Variables of Grafana, with values under which a query is one of Prometheus. */
export const withValues = (expression, rateInterval = '5m') =>
  expression
    .replaceAll('$__rate_interval', rateInterval)
    .replaceAll('$job', 'shoal')
    .replaceAll('$node', '.*')
