/** A line that an instance has printed, as its supervisor prints it: with the name of the instance. */

/** A line of JSON gets a field, any other text the name in front. */
export function forwardLine(line: string, instance: string, output: NodeJS.WritableStream): void {
  output.write(`${forwardedLine(line, instance)}\n`)
}

export function forwardedLine(line: string, instance: string): string {
  if (!/^\{.*\}$/.test(line)) return JSON.stringify({ level: 'info', instance, msg: line })
  return line === '{}' ? JSON.stringify({ instance }) : `{"instance":${JSON.stringify(instance)},${line.slice(1)}`
}
