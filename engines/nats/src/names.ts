/** What things are called at NATS, where names may hold neither dots nor spaces nor wildcards. */

/** `orders` of the prefix `skerry` → `skerry.orders` */
export function subjectOf(prefix: string, topic: string): string {
  return `${prefix}.${token(topic)}`
}

/** The inverse, for every subject of the stream: strangers may publish below it too. */
export function topicOf(prefix: string, subject: string): string {
  return subject.slice(prefix.length + 1).replaceAll(/=([0-9a-f]+)=/g, (_, code: string) => String.fromCodePoint(Number.parseInt(code, 16)))
}

/** `payments` and `orders` → `payments__orders`: what `payments` has not yet handled of `orders`. */
export function durableOf(consumer: string, topic: string): string {
  return `${token(consumer)}__${token(topic)}`
}

/** Whether a consumer's filter, which may hold wildcards, takes a subject. */
export function takes(filter: string, subject: string): boolean {
  const [wanted, given] = [filter.split('.'), subject.split('.')]
  const rest = wanted.indexOf('>')
  if (rest >= 0 ? given.length <= rest : given.length !== wanted.length) return false
  return wanted.slice(0, rest >= 0 ? rest : wanted.length).every((part, index) => part === '*' || part === given[index])
}

/** Names of contracts are their own tokens; anything else keeps apart from them and from each other. */
function token(name: string): string {
  return name.replaceAll(/[^a-zA-Z0-9-]/gu, (character) => `=${character.codePointAt(0)!.toString(16)}=`)
}
