/** What every generator returns: a file's text, and where it belongs in the folder that the caller chooses. Nothing is written here. */
export interface GeneratedFile {
  /** Relative, with `/`. */
  readonly path: string
  readonly content: string
}
