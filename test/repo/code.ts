/** Source text without its comments, for tests that look for words: coarse, since strings that look like comments go too. */
export function withoutComments(text: string): string {
  // Newlines stay, so that line numbers hold.
  return text
    .replaceAll(/\/\*[\s\S]*?\*\//g, (comment) => comment.replaceAll(/[^\n]/g, ' '))
    .replaceAll(/(^|[^:'"`\\])\/\/.*$/gm, (comment, before: string) => before + ' '.repeat(comment.length - before.length))
}

/** `file:line` of every match, counted in `text`. */
export function places(file: string, text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map(({ index, 0: match }) => `${file}:${text.slice(0, index).split('\n').length} ${match.trim()}`)
}
