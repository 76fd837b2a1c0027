/** The value of an option that counts something. */
import { InvalidArgumentError } from 'commander'

export function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,9}$/.test(text)) throw new InvalidArgumentError('Expected a whole number from 1.')
  return Number(text)
}
