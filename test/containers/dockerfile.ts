/** A Dockerfile as steps that can be done without Docker: what it copies and runs in each stage, and what it says of the process. */
import type { Flag, Instruction } from 'dockerfile-ast'
import { DockerfileParser } from 'dockerfile-ast'

export interface Copy {
  readonly kind: 'copy'
  /** The stage it copies from; undefined is the build context. */
  readonly from: string | undefined
  readonly sources: readonly string[]
  readonly target: string
}

export interface Run {
  readonly kind: 'run'
  readonly command: string
}

export interface Stage {
  readonly name: string | undefined
  readonly workdir: string
  readonly steps: readonly (Copy | Run)[]
}

export interface DockerImage {
  readonly stages: readonly Stage[]
  /** Of the last stage. */
  readonly env: Readonly<Record<string, string>>
  readonly command: readonly string[]
  readonly healthcheck: readonly string[]
  readonly stopSignal: NodeJS.Signals
}

/** Fails for every instruction that it does not know, so that none is passed over in silence. */
export function readDockerfile(text: string): DockerImage {
  const stages: { name: string | undefined; workdir: string; steps: (Copy | Run)[] }[] = []
  let said: { env: Record<string, string>; command: string[]; healthcheck: string[]; stopSignal: string } = {
    env: {},
    command: [],
    healthcheck: [],
    stopSignal: '',
  }
  for (const instruction of DockerfileParser.parse(text).getInstructions()) {
    const content = instruction.getArgumentsContent() ?? ''
    const words = instruction.getArguments().map((argument) => argument.getValue())
    const stage = stages.at(-1)
    switch (instruction.getKeyword()) {
      case 'FROM':
        stages.push({ name: words[1]?.toUpperCase() === 'AS' ? words[2] : undefined, workdir: '/', steps: [] })
        said = { env: {}, command: [], healthcheck: [], stopSignal: '' }
        break
      case 'WORKDIR':
        stage!.workdir = content
        break
      case 'COPY':
        stage!.steps.push({ kind: 'copy', from: flag(instruction, 'from'), sources: words.slice(0, -1), target: words.at(-1)! })
        break
      case 'RUN':
        stage!.steps.push({ kind: 'run', command: content })
        break
      case 'ENV':
        for (const word of words) said.env[word.slice(0, word.indexOf('='))] = word.slice(word.indexOf('=') + 1)
        break
      case 'CMD':
        said.command = JSON.parse(content) as string[]
        break
      case 'HEALTHCHECK':
        said.healthcheck = JSON.parse(content.slice(content.indexOf('CMD ') + 4)) as string[]
        break
      case 'STOPSIGNAL':
        said.stopSignal = content
        break
      case 'USER':
      case 'EXPOSE':
      case 'LABEL':
      case 'ENTRYPOINT':
        break
      default:
        throw new Error(`A rehearsal cannot do ${instruction.getKeyword()}`)
    }
  }
  return { stages, ...said, stopSignal: said.stopSignal as NodeJS.Signals }
}

function flag(instruction: Instruction, name: string): string | undefined {
  const flags = 'getFlags' in instruction ? (instruction.getFlags as () => Flag[])() : []
  return flags.find((one) => one.getName() === name)?.getValue() ?? undefined
}
