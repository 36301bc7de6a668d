/** Where the reader is: the part of the address after `#/`. */
class Route {
  page = $state('overview')
  query = $state(new URLSearchParams())

  constructor() {
    this.#read()
    window.addEventListener('hashchange', () => this.#read())
  }

  #read(): void {
    const [page = '', query = ''] = location.hash.replace(/^#\/?/, '').split('?')
    this.page = page === '' ? 'overview' : page
    this.query = new URLSearchParams(query)
  }
}

export const route = new Route()

/** The address of a page of the console. */
export function link(page: string, query: Readonly<Record<string, string>> = {}): string {
  const text = new URLSearchParams(query).toString()
  return `#/${page}${text === '' ? '' : `?${text}`}`
}
