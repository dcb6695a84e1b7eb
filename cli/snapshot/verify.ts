/** `revbolt snapshot status` and `verify`. */
import { resolve } from 'node:path'
import type { VerifiedBackup } from '../../index.ts'
import type { Call, Command, Setting } from '../bolt/command.ts'
import { EXIT } from '../bolt/command.ts'
import { labelled, printJson } from '../bolt/output.ts'
import { formatBytes, formatCount } from '../format.ts'
import { withProgress } from './progress.ts'

async function verified(call: Call, setting: Setting): Promise<VerifiedBackup> {
  const { directory, signal } = setting
  const [name = ''] = call.positionals
  const { verifyBackup } = await import('../../index.ts')
  return await withProgress(setting, (onProgress) =>
    verifyBackup(resolve(directory, name), { signal, onProgress }),
  )
}

/** What a backup holds, for programs. */
export function jsonBackup({ manifest, ...found }: VerifiedBackup): unknown {
  if (manifest === undefined) return { ...found, manifest: null }
  const { crc32: _, ...facts } = manifest
  return { ...found, manifest: facts }
}

async function runStatus(call: Call, setting: Setting): Promise<number> {
  const { screen } = setting
  const found = await verified(call, setting)
  if (call.isJson) {
    printJson(screen, jsonBackup(found))
    return EXIT.ok
  }
  const { manifest, compactedRevision } = found
  const rows: [string, string][] = [
    ['revision', formatCount(found.revision)],
    [
      'history',
      compactedRevision > 0
        ? `readable from revision ${formatCount(compactedRevision)} on`
        : 'whole, nothing was compacted',
    ],
    ['keys', formatCount(found.keyCount)],
    ['revisions', formatCount(found.revisionCount)],
    ['leases', formatCount(found.leaseCount)],
    ['file', `${formatBytes(found.sizeBytes)}, ${trailerText(found)}`],
  ]
  if (manifest !== undefined) {
    rows.push(
      ['made', new Date(manifest.timeMs).toISOString()],
      ['by', `revbolt ${manifest.softwareVersion}`],
      ['hash', String(manifest.hashKV)],
      ['sha256', manifest.sha256],
    )
  }
  labelled(screen, rows)
  return EXIT.ok
}

function trailerText({ hasTrailer }: VerifiedBackup): string {
  return hasTrailer ? 'with the SHA-256 that etcd looks for' : 'without a SHA-256 at its end'
}

async function runVerify(call: Call, setting: Setting): Promise<number> {
  const { screen } = setting
  const found = await verified(call, setting)
  if (call.isJson) {
    printJson(screen, jsonBackup(found))
    return EXIT.ok
  }
  const by = found.manifest === undefined ? 'its trailer' : 'its manifest'
  const word = screen.style('green', 'whole')
  const revision = formatCount(found.revision)
  screen.print(`${word}: every byte is as ${by} says; revision ${revision}`)
  return EXIT.ok
}

export const status: Command = {
  name: 'status',
  positionals: 'FILE',
  counts: [1, 1],
  summary: 'what a backup holds',
  details: 'Verifies the backup and shows what is in it.',
  options: {},
  run: runStatus,
}

export const verify: Command = {
  name: 'verify',
  positionals: 'FILE',
  counts: [1, 1],
  summary: 'whether a backup is whole',
  details:
    'Compares every byte with the manifest, or with the SHA-256 at the end where there is none, ' +
    'and reads pages, history and leases. Exits with 1 where something is damaged, and names the ' +
    'range.',
  options: {},
  run: runVerify,
}
