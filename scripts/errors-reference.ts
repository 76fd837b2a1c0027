/**
 * Writes docs/reference/errors.md from the catalogue in packages/skerry/src/base/errors.ts: `node scripts/errors-reference.ts`.
 * A test holds the two together.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { ErrorCode } from '../packages/skerry/src/base/errors.ts'
import { ERRORS } from '../packages/skerry/src/base/errors.ts'

export const ERRORS_PAGE = 'docs/reference/errors.md'

const INTRODUCTION = `# Errors

<!-- Made from packages/skerry/src/base/errors.ts by \`node scripts/errors-reference.ts\`. -->

Every failure that Skerry itself reports has a code. Programs compare the code; the sentence beside it says what happened this time. Over HTTP an error is Problem Details (RFC 9457):

\`\`\`json
{
  "type": "urn:problem:skerry:invalidInput",
  "title": "Invalid input",
  "status": 422,
  "detail": "lines.0.quantity: expected a whole number from 1",
  "code": "invalidInput",
  "errors": [{ "path": "/lines/0/quantity", "message": "expected a whole number from 1" }]
}
\`\`\`

In TypeScript it is a \`SkerryError\` with \`code\`, \`status\`, \`retryable\` and \`help\`. The problems that a contract declares have codes of their own, none of these, and the type \`urn:problem:<contract>:<code>\`.
`

const KINDS = [
  ['answer', 'Answers to a request', 'What a caller may get besides the output and the problems that the contract declares.'],
  ['mistake', 'Mistakes in code', 'Thrown where the mistake is made; whoever calls the service from outside sees `internal`.'],
  ['host', 'Failures of a host', 'Reported at start, with everything that is wrong, or by `/health/ready`.'],
] as const

/** The page as it should be. */
export function errorsPage(): string {
  return [INTRODUCTION, ...KINDS.map(([kind, title, introduction]) => `## ${title}\n\n${introduction}\n\n${sections(kind)}`)].join('\n')
}

function sections(kind: (typeof KINDS)[number][0]): string {
  return (Object.keys(ERRORS) as ErrorCode[])
    .filter((code) => ERRORS[code].kind === kind)
    .map((code) => {
      const { status, title, retryable, help } = ERRORS[code]
      return `### ${code}\n\n${title}. Status ${status}; trying again ${retryable ? 'may help' : 'does not help'}.\n\n${help}\n`
    })
    .join('\n')
}

if (import.meta.main) {
  const file = join(import.meta.dirname, '..', ERRORS_PAGE)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, errorsPage())
}
