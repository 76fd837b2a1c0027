/** `@skerry/deploy`: what runs a system in production, generated from its definition. Pure: files come back as text. */
export type { GeneratedFile } from './generated-file.ts'
export { nginxConfiguration } from './nginx/configuration.ts'
export type { NginxOptions } from './nginx/configuration.ts'
