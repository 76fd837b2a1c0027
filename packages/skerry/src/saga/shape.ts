/** A saga's steps as text, to be kept: what instances under way are held against, and what a page can draw without the code. */
import type { SagaDefinition, StepDefinition } from './definition.ts'

/** What makes two definitions of one version the same to instances that are under way. */
export function shapeOf({ stages }: SagaDefinition): Shape {
  return stages.map((stage) => stage.map(({ name, kind, pivot }) => `${kind} ${name}${pivot ? PIVOT_MARK : ''}`))
}

export type Shape = readonly (readonly string[])[]
export type StepOutline = Pick<StepDefinition, 'name' | 'kind' | 'pivot'>

const PIVOT_MARK = ' (pivot)'

/** The steps that a shape was made from, stage by stage. */
export function outlineOf(shape: Shape): readonly (readonly StepOutline[])[] {
  return shape.map((stage) =>
    stage.map((text) => {
      const [kind, name] = text.split(' ') as [StepDefinition['kind'], string]
      return { kind, name, pivot: text.endsWith(PIVOT_MARK) }
    }),
  )
}

/** Where instances under way would not find the steps they began with; undefined when steps were at most appended. */
export function firstDifference(before: Shape, now: Shape): string | undefined {
  for (const [index, stage] of before.entries()) {
    const was = stage.join(' with ')
    const is = now[index]?.join(' with ')
    if (is === undefined) return `"${was}" is missing`
    if (was !== is) return `step ${index + 1} was "${was}" and is "${is}"`
  }
  return undefined
}
