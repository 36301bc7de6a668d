/** Light or dark: as the system says, until the reader chooses. */
const KEY = 'shoal-theme'

class Theme {
  choice = $state(localStorage.getItem(KEY) ?? 'system')

  constructor() {
    this.#apply()
  }

  next(): void {
    const order = ['system', 'light', 'dark']
    this.choice = order[(order.indexOf(this.choice) + 1) % order.length] ?? 'system'
    localStorage.setItem(KEY, this.choice)
    this.#apply()
  }

  #apply(): void {
    if (this.choice === 'system') delete document.documentElement.dataset.theme
    else document.documentElement.dataset.theme = this.choice
  }
}

export const theme = new Theme()
