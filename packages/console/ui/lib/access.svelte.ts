import { accessToken, type Problem } from './api.ts'

/**
 * Whether this node lets the console in. Nothing but the state of the cluster is asked until it has
 * answered, and nothing at all once it was refused: each request without a valid token is a line in
 * the node's audit, and too many of them get no answer of their own.
 */
class Access {
  /** The state of the cluster was answered. */
  isOpen = $state(false)
  /** Why it was not; undefined until somebody gives another token. */
  refusal = $state.raw<Problem | undefined>(undefined)
  hasToken = $state(accessToken.get() !== '')

  signIn(token: string): void {
    accessToken.set(token)
    this.hasToken = true
    this.refusal = undefined
  }

  /** Nothing that was shown with the token stays in this tab. */
  signOut(): void {
    accessToken.forget()
    location.reload()
  }

  /** The state of the cluster was refused, or any other request for want of a valid token. */
  judge(problem: Problem): void {
    const { code } = problem
    const isRefusal =
      code === 'SHOAL_UNAUTHENTICATED' ||
      (!this.isOpen && code === 'SHOAL_FORBIDDEN') ||
      (!this.hasToken && code === 'SHOAL_RATE_LIMITED')
    if (!isRefusal) return
    this.refusal = problem
    this.isOpen = false
  }
}

export const access = new Access()
