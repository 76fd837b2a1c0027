/** nginx's own syntax: values that come from outside are checked or quoted here, so that none can end a directive and begin another. */
import { SkerryError } from 'skerry/runtime'

/** A value in double quotes. nginx would read `$` as a variable and cannot escape it, so it is refused. */
export function quoted(what: string, text: string): string {
  if (/[$\p{Cc}]/u.test(text))
    throw new SkerryError(
      'configurationInvalid',
      `${what} is ${JSON.stringify(text)}: nginx cannot be given "$" or control characters here`,
    )
  return `"${text.replaceAll(/["\\]/g, '\\$&')}"`
}

/** A JSON value as the text of an answer, in single quotes. `{name}` in its strings stands for the variable `$name`. */
export function answerText(value: unknown): string {
  const json = JSON.stringify(value)
  if (json.includes('$')) throw new SkerryError('configurationInvalid', `nginx would read a variable in the answer ${json}`)
  return `'${json.replaceAll(/['\\]/g, '\\$&').replaceAll(/\{([a-z_]+)\}/g, '$$$1')}'`
}

/** Literal text inside a regular expression (PCRE). */
export function literally(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\/]/g, (character) => (character === '/' ? character : `\\${character}`))
}

export function indent(text: string, spaces: number): string {
  return text.replaceAll(/^(?=.)/gm, ' '.repeat(spaces))
}
