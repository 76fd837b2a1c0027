/** What nginx answers itself, in the words of the embedded gateway: Problem Details with the same codes, status and headers. */
import { platformProblem, PROBLEM_MEDIA_TYPE } from 'skerry/gateway'
import { answerText } from './syntax.ts'

interface Refusal {
  /** The location under `/@skerry/`. */
  readonly location: string
  readonly code: Parameters<typeof platformProblem>[0]
  readonly detail: string
  /** What nginx means by the same. */
  readonly nginxStatus: readonly number[]
  readonly headers?: string
}

/** The `error_page` directives. */
export function errorPages(maxBodyBytes: number): string {
  return refusals(maxBodyBytes)
    .map(({ location, code, nginxStatus }) => `error_page ${nginxStatus.join(' ')} =${platformProblem(code).status} /@skerry/${location};`)
    .join('\n')
}

/** The locations that answer with a problem. */
export function problemLocations(maxBodyBytes: number): string {
  return refusals(maxBodyBytes)
    .map(({ location, code, detail, headers }) => {
      const problem = platformProblem(code, detail)
      return `location = /@skerry/${location} {
    internal;
    default_type ${PROBLEM_MEDIA_TYPE};${headers === undefined ? '' : `\n    add_header ${headers} always;`}
    return ${problem.status} ${answerText(problem)};
}`
    })
    .join('\n')
}

function refusals(maxBodyBytes: number): readonly Refusal[] {
  return [
    { location: 'notFound', code: 'notFound', detail: 'Nothing is offered at this path', nginxStatus: [404] },
    {
      location: 'methodNotAllowed',
      code: 'methodNotAllowed',
      detail: '{skerry_method} is not offered here, only {skerry_allow}',
      nginxStatus: [405],
      headers: 'Allow $skerry_allow',
    },
    // 408: the request did not arrive in time; 501: its transfer coding, 505: its version is not one we know.
    {
      location: 'malformedRequest',
      code: 'malformedRequest',
      detail: 'The request is not valid HTTP/1.1',
      nginxStatus: [400, 408, 501, 505],
    },
    { location: 'headersTooLarge', code: 'malformedRequest', detail: 'The headers are too large', nginxStatus: [414, 494] },
    { location: 'bodyTooLarge', code: 'bodyTooLarge', detail: `The body may have at most ${maxBodyBytes} bytes`, nginxStatus: [413] },
    // 403: the API document beside the configuration cannot be read.
    { location: 'internal', code: 'internal', detail: platformProblem('internal').detail, nginxStatus: [403, 500] },
    {
      location: 'unavailable',
      code: 'unavailable',
      detail: '{skerry_service} is unavailable',
      nginxStatus: [502, 503],
      headers: 'Retry-After 1',
    },
    { location: 'deadlineExceeded', code: 'deadlineExceeded', detail: '{skerry_service} did not answer in time', nginxStatus: [504] },
  ]
}
