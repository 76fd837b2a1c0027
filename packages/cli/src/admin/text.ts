/** Text for a terminal. What is shown comes from anywhere, so nothing of it may steer the terminal. */
const LONGEST_ERROR = 160

/** Without what could move a cursor or change a colour. */
export function oneLine(text: string): string {
  return printable(text).replaceAll('\n', ' ')
}

export function printable(text: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  return text.replaceAll(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g, '\ufffd')
}

export function cut(text: string): string {
  return text.length > LONGEST_ERROR ? `${text.slice(0, LONGEST_ERROR)}…` : text
}

export function indented(value: unknown): string {
  return JSON.stringify(value, undefined, 2)
}

export function age(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000))
  if (seconds < 120) return `${seconds} s`
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} h` : `${Math.round(seconds / 86_400)} days`
}
