/** What things are called at Kafka, where names may hold letters, digits, ".", "_" and "-". */

/** `orders` of the prefix `skerry` → `skerry.orders` */
export function topicNameOf(prefix: string, topic: string): string {
  return `${prefix}.${token(topic)}`
}

/** The inverse. */
export function topicOf(prefix: string, name: string): string {
  return name.slice(prefix.length + 1).replaceAll(/_([0-9a-f]+)_/g, (_, code: string) => String.fromCodePoint(Number.parseInt(code, 16)))
}

/** The group that remembers what a consumer has handled. */
export function groupOf(prefix: string, consumer: string): string {
  return `${prefix}.${token(consumer)}`
}

/** Names of contracts are their own tokens; anything else keeps apart from them and from each other. */
function token(name: string): string {
  return name.replaceAll(/[^a-zA-Z0-9-]/gu, (character) => `_${character.codePointAt(0)!.toString(16)}_`)
}
