/** What every refusal must be: Problem Details that agree with the HTTP status and tell nothing of the inside. */
import type { Answer } from '../gateway/http-request.ts'

// Stack frames, our files and folders, statements, and what the engines and Node say when they break.
const INSIDE =
  /\n\s+at |\.ts\b|\.js\b|node:|node_modules|\/(work|home|root|usr|tmp)\/|select .* from|insert into|relation "|sqlstate|pglite|postgres|ECONN|TypeError|Cannot read/i

/** What is wrong with an answer as a refusal; undefined when nothing is. `sent` is what the answer may repeat. */
export function flawIn({ status, headers, text }: Answer, sent = ''): string | undefined {
  if (headers['content-type'] !== 'application/problem+json') return `the content type is ${headers['content-type'] ?? 'missing'}`
  let problem: Record<string, unknown>
  try {
    problem = JSON.parse(text) as Record<string, unknown>
  } catch {
    return `the body is not JSON: ${text}`
  }
  if (problem['status'] !== status) return `the status is ${status}, the problem's is ${JSON.stringify(problem['status'])}`
  for (const field of ['type', 'title', 'detail', 'code']) if (typeof problem[field] !== 'string') return `the problem has no ${field}`
  const leak = INSIDE.exec(text)?.[0]
  return leak === undefined || sent.includes(leak.trim())
    ? undefined
    : `the problem tells of the inside: ${JSON.stringify(leak)} in ${text}`
}
