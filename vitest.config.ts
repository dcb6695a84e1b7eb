/**
 * Which tests there are. `npm test` runs `unit` and `property`; the other projects need something
 * more (Go, other versions of Node) or take longer, and have scripts of their own in package.json.
 *
 * Tests run in child processes, never in worker threads: fs-ext must not be loaded in both.
 */
import { availableParallelism } from 'node:os'
import {
  defineConfig,
  type TestProjectInlineConfiguration,
  type ViteUserConfig,
} from 'vitest/config'
import { seed } from './proptest/effort.ts'

// One seed for the whole run, chosen here, so that a run that hangs or dies can be repeated too.
process.env['PROPTEST_SEED'] ??= String(seed)

const NEVER = ['**/node_modules/**', 'dist/**', '**/.cache/**']
const INTEROP = ['interop', 'proptest/interop', 'proptest/etcd'].map(
  (room) => `${room}/**/*.test.ts`,
)
const PACKAGE = ['proptest/package/**/*.test.ts']

interface Selection {
  readonly name: string
  readonly include: readonly string[]
  readonly exclude?: readonly string[]
  readonly testTimeoutMs: number
}

function project(selection: Selection): TestProjectInlineConfiguration {
  return {
    extends: true,
    test: {
      name: selection.name,
      include: [...selection.include],
      exclude: [...NEVER, ...(selection.exclude ?? [])],
      testTimeout: selection.testTimeoutMs,
      hookTimeout: selection.testTimeoutMs,
    },
  }
}

const config: ViteUserConfig = defineConfig({
  test: {
    pool: 'forks',
    // vitest leaves one processor to itself, which is half of a small machine.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    env: { KV_VERIFY: 'all' },
    globalSetup: ['proptest/announce.ts'],
    setupFiles: ['proptest/setup.ts'],
    projects: [
      project({
        name: 'unit',
        include: ['**/*.test.ts'],
        exclude: ['proptest/**', 'interop/**'],
        testTimeoutMs: 30_000,
      }),
      project({
        name: 'property',
        include: ['proptest/**/*.test.ts'],
        exclude: [...INTEROP, ...PACKAGE],
        testTimeoutMs: 600_000,
      }),
      project({ name: 'interop', include: INTEROP, testTimeoutMs: 600_000 }),
      project({ name: 'package', include: PACKAGE, testTimeoutMs: 600_000 }),
    ],
  },
})

export default config
