import { Component, type ReactNode } from 'react'

interface ErrorBoundaryProps<T> {
  /** What the children show. */
  readonly of: T
  /** What is shown instead of children that have thrown. @param retry - Renders the children again. */
  readonly fallback: (of: T, retry: () => void) => ReactNode
  /** Whether children that threw for one value may be rendered for another. @defaultValue whether they differ */
  readonly isOther?: ((now: T, failed: T) => boolean) | undefined
  readonly children: ReactNode
}

interface ErrorBoundaryState<T> {
  /** The value that the children threw for; `null` until it is known. */
  readonly failed?: { readonly of: T } | null | undefined
}

/** Shows something else in place of children that throw. Without one, React unmounts the whole page. */
export class ErrorBoundary<T> extends Component<ErrorBoundaryProps<T>, ErrorBoundaryState<T>> {
  override state: ErrorBoundaryState<T> = {}

  static getDerivedStateFromError(): ErrorBoundaryState<never> {
    return { failed: null }
  }

  static getDerivedStateFromProps<T>(
    { of, isOther = (now, failed) => !Object.is(now, failed) }: ErrorBoundaryProps<T>,
    { failed }: ErrorBoundaryState<T>,
  ): ErrorBoundaryState<T> | null {
    if (failed === undefined) return null
    if (failed === null) return { failed: { of } }
    return isOther(of, failed.of) ? { failed: undefined } : null
  }

  private readonly retry = (): void => this.setState({ failed: undefined })

  override render(): ReactNode {
    const { of, fallback, children } = this.props
    return this.state.failed === undefined ? children : fallback(of, this.retry)
  }
}
