/** What the commands say, and how they say that something is in the way: the cause in one line, the cure below it. */
const codes = { red: 31, green: 32, cyan: 36, dim: 2 }
const colourful = process.stdout.isTTY && process.env['NO_COLOR'] === undefined

/** Something outside the code stands in the way, and the user can do something about it. */
export class Failure extends Error {
  /**
   * @param {string} cause
   * @param {string} cure
   */
  constructor(cause, cure) {
    super(cause)
    this.cure = cure
  }
}

/** @param {string} text */
export function say(text) {
  console.log(`${paint('cyan', 'skerry')} ${text}`)
}

/**
 * Says why the command could not be run and gives the exit code for it.
 * @param {unknown} error
 */
export function fail(error) {
  if (error instanceof Failure)
    console.error(`\n${paint('red', 'Cannot go on:')} ${error.message}\n${paint('green', 'What to do:')} ${error.cure}`)
  else console.error(error)
  return 1
}

/**
 * @param {keyof typeof codes} colour
 * @param {string} text
 */
export function paint(colour, text) {
  return colourful ? `\u001b[${codes[colour]}m${text}\u001b[0m` : text
}

/** @param {number} startedMs of performance.now() */
export function seconds(startedMs) {
  return `${((performance.now() - startedMs) / 1000).toFixed(1)} s`
}
