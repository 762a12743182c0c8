export { ErrorBoundary } from './error-boundary.tsx'
export { ModelText } from './model-text.tsx'
export { PageBoundary } from './page-boundary.tsx'
