/** Who calls, as the header User-Agent says it (RFC 9110, 10.1.5): products with their versions, the most significant one first. */

/** What of a client's own User-Agent a gateway passes on, in characters. */
export const MAX_USER_AGENT_LENGTH = 1_000
/** The caller and what it is built on; browsers name half a dozen, and those behind tell only versions apart. */
const MAX_PRODUCTS = 2
const MAX_PRODUCT_LENGTH = 80

/**
 * The first two products of a User-Agent, and nothing else: comments, addresses and other words may tell who a person is. Undefined when
 * it names none.
 */
export function productsIn(userAgent: string): string | undefined {
  const products = withoutComments(userAgent.slice(0, MAX_USER_AGENT_LENGTH))
    .split(/[ \t]+/)
    .filter((word) => PRODUCT.test(word))
    // Some name themselves without a version, such as Node's fetch; further words without one are seldom products.
    .filter((product, index) => index === 0 || product.includes('/'))
  return products.length === 0
    ? undefined
    : products
        .slice(0, MAX_PRODUCTS)
        .map((product) => product.slice(0, MAX_PRODUCT_LENGTH))
        .join(' ')
}

const PRODUCT = /^[\w!#$%&'*+.^`|~-]+(?:\/[\w!#$%&'*+.^`|~-]+)?$/

/** Comments are in parentheses, may hold others, and quote with a backslash (RFC 9110, 5.6.5). */
function withoutComments(text: string): string {
  let outside = ''
  let depth = 0
  for (let index = 0; index < text.length; index++) {
    const character = text[index]!
    if (character === '(') depth++
    else if (depth === 0) outside += character
    else if (character === '\\') index++
    else if (character === ')' && --depth === 0) outside += ' '
  }
  return outside
}
