/**
 * Who a process is, beyond its number: numbers are given out again, after a restart of the machine and in every
 * container. What the system does not tell (there is no /proc outside Linux) is undefined and not compared.
 */
import { readFile, readlink } from 'node:fs/promises'

export interface ProcessIdentity {
  readonly pid: number
  /** When it started, in clock ticks since boot. */
  readonly startTicks: string | undefined
  /** Changes with every boot of the machine. */
  readonly bootId: string | undefined
  /** Process numbers mean something only within one namespace, such as one run of a container. */
  readonly pidNamespace: string | undefined
}

export async function thisProcess(): Promise<ProcessIdentity> {
  return {
    pid: process.pid,
    startTicks: (await processStatus(process.pid))?.startTicks,
    bootId: await readFile('/proc/sys/kernel/random/boot_id', 'utf8').then((id) => id.trim(), nothing),
    pidNamespace: await readlink('/proc/self/ns/pid').catch(nothing),
  }
}

/** Whether a process that once wrote down its identity still runs; `unknown` when it cannot be seen from here. */
export async function liveness(of: ProcessIdentity, here: ProcessIdentity): Promise<'alive' | 'dead' | 'unknown'> {
  if (differ(of.bootId, here.bootId)) return 'dead'
  if (differ(of.pidNamespace, here.pidNamespace)) return 'unknown'
  if (!exists(of.pid)) return 'dead'
  const status = await processStatus(of.pid)
  if (status === undefined) return 'alive'
  return status.ended || differ(of.startTicks, status.startTicks) ? 'dead' : 'alive'
}

function differ(a: string | undefined, b: string | undefined): boolean {
  return a !== undefined && b !== undefined && a !== b
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: it exists and belongs to another user.
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

/** proc(5), /proc/pid/stat: after the name, which may hold anything, come state (field 3) and, as field 22, the start time. */
async function processStatus(pid: number): Promise<{ ended: boolean; startTicks: string } | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(nothing)
  if (stat === undefined) return undefined
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return { ended: fields[0] === 'Z' || fields[0] === 'X', startTicks: fields[19] ?? '' }
}

const nothing = (): undefined => undefined
