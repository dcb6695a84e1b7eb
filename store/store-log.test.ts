import { describe, expect, test } from 'vitest'
import { FakeClock, systemClock } from '../base/clock.ts'
import { MemoryDisk } from '../disk/memory-disk.ts'
import { openOn } from './open.ts'
import { nextTurn } from './pause.ts'
import type { BuiltOpenOptions } from './types.ts'
import type { Logger } from './types/open.ts'

interface Line {
  readonly level: string
  readonly message: string
  readonly facts: Readonly<Record<string, unknown>>
}

function recorder(): { readonly logger: Logger; readonly lines: Line[]; text(): string[] } {
  const lines: Line[] = []
  const at =
    (level: string) =>
    (message: string, facts: Readonly<Record<string, unknown>> = {}): void => {
      lines.push({ level, message, facts })
    }
  const logger = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
  return { logger, lines, text: () => lines.map(({ level, message }) => `${level} ${message}`) }
}

describe('logger', () => {
  test('hears of opening, checkpoints, compactions and closing', async () => {
    const { logger, lines, text } = recorder()
    const disk = new MemoryDisk()
    const store = await openOn(disk, '/data', { logger, checkpointBytes: 1000 })
    for (let i = 0; i < 50; i++) await store.put('a', `secret ${'v'.repeat(100)}`)
    await store.compact(40, { physical: true })
    await store.close()
    await nextTurn()
    const heard = text()
    expect(heard[0]).toBe('info opened')
    expect(heard.at(-1)).toBe('info closed')
    expect(heard).toContain('debug checkpoint')
    expect(heard).toContain('debug compaction begins')
    expect(heard).toContain('debug compaction is done')
    expect(lines[0]?.facts).toMatchObject({ path: '/data', revision: 1, keyCount: 0 })
    expect(JSON.stringify(lines)).not.toContain('secret')
  })

  test('hears what opening had to mend', async () => {
    const disk = new MemoryDisk()
    const store = await openOn(disk, '/data')
    await store.put('a', '1')
    const killed = disk.processKilled()
    await store.close()
    for (const slot of [undefined, 0, 1]) {
      const { logger, lines } = recorder()
      const found = killed.clone()
      if (slot !== undefined) found.flipBit('/data/db', slot * 4096 + 40, 0)
      const again = await openOn(found, '/data', { logger })
      await again.close()
      await nextTurn()
      const { replayedCommits } = again.recovery
      expect(replayedCommits).toBeGreaterThan(0)
      const opened = lines.find(({ message }) => message === 'opened')
      expect(opened?.facts).toMatchObject({ revision: 2, keyCount: 1, replayedCommits })
      const warned = lines.filter(({ level }) => level === 'warn')
      expect(warned.map(({ facts }) => facts['slot'])).toEqual(slot === undefined ? [] : [slot])
    }
  })

  test('hears of a checkpoint that was given up, and that no more writes are taken', async () => {
    const { logger, lines } = recorder()
    const disk = new MemoryDisk()
    const store = await openOn(disk, '/data', { logger, checkpointBytes: 4000 })
    const lift = disk.injectFault({ kind: 'write', path: '/data/db', code: 'ENOSPC' })
    for (let i = 0; i < 40; i++) await store.put(`k${i}`, 'v'.repeat(200))
    await nextTurn()
    lift()
    const given = lines.find(({ message }) => message === 'a checkpoint was given up')
    expect(given?.level).toBe('warn')
    expect(given?.facts['error']).toHaveProperty('code', 'KV_NO_SPACE')
    disk.injectFault({ kind: 'sync', code: 'EIO' })
    await expect(store.put('a', '1')).rejects.toThrow(/sync/)
    await expect(store.put('a', '1')).rejects.toThrow(/earlier failure/)
    await nextTurn()
    expect(lines.filter(({ level }) => level === 'error')).toHaveLength(1)
    await store.close()
  })

  test('hears of a closing that failed', async () => {
    const { logger, text } = recorder()
    const disk = new MemoryDisk()
    const store = await openOn(disk, '/data', { logger, sync: 'none' })
    await store.put('a', '1')
    disk.injectFault({ kind: 'sync', code: 'EIO', times: Infinity })
    await expect(store.close()).rejects.toThrow(/sync/)
    await nextTurn()
    expect(text().at(-1)).toBe('error closing failed')
  })

  test('may throw, reject, lack methods, and use the store', async () => {
    const unhandled: unknown[] = []
    const note = (reason: unknown): void => void unhandled.push(reason)
    process.on('unhandledRejection', note)
    const kinds: readonly unknown[] = [
      {},
      {
        info: () => {
          throw new Error('no')
        },
      },
      { info: () => Promise.reject(new Error('no')) },
    ]
    for (const logger of kinds) {
      const store = await openOn(new MemoryDisk(), '/data', { logger: logger as Logger })
      await store.put('a', '1')
      expect((await store.get('a'))?.value).toBe('1')
      await store.close()
    }
    class Own {
      level = 'info'
      heard: string[] = []
      info(message: string): void {
        this.heard.push(`${this.level} ${message}`)
      }
      debug(): void {
        store.putSync('from the logger', '1')
      }
    }
    const logger = new Own()
    const store = await openOn(new MemoryDisk(), '/data', { logger })
    await store.put('a', '1')
    await store.put('a', '2')
    await store.compact(2)
    await nextTurn()
    expect((await store.get('from the logger'))?.value).toBe('1')
    await store.close()
    await nextTurn()
    expect(logger.heard).toEqual(['info opened', 'info closed'])
    process.off('unhandledRejection', note)
    expect(unhandled).toEqual([])
  })

  test.each([
    [{ logger: 1 }, TypeError, /^logger: expected an object, got/],
    [{ logger: null }, TypeError, /^logger: expected an object, got/],
    [{ logger: { warn: 1 } }, TypeError, /^logger.warn: expected a function, got/],
    [{ maxViewAgeMs: 0 }, RangeError, /^maxViewAgeMs: 0 is no integer from 1/],
    [{ maxViewAgeMs: '5' }, TypeError, /^maxViewAgeMs: expected a number/],
  ])('%j is refused by name', async (options, kind, message) => {
    const call = openOn(new MemoryDisk(), '/data', options as BuiltOpenOptions)
    const error: unknown = await call.catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(kind)
    expect(error).toHaveProperty('message', expect.stringMatching(message))
  })
})

describe('history that outgrows what is alive', () => {
  const overwritten = async (options: BuiltOpenOptions): Promise<readonly string[]> => {
    const { logger, text } = recorder()
    const disk = new MemoryDisk()
    const store = await openOn(disk, '/data', { ...options, logger, maxTxnOps: 10_000 })
    for (let i = 0; i < 20; i++) {
      // In one revision: compactions are due by revisions, this by rows.
      const success = Array.from({ length: 600 }, (_, k) => {
        return { type: 'put', key: `k${k}`, value: 'v' } as const
      })
      await store.txn({ success })
    }
    await store.close()
    await nextTurn()
    return text().filter((line) => line.startsWith('warn'))
  }

  test('is warned of once, where nobody said how much of it to keep', async () => {
    expect(await overwritten({})).toEqual([expect.stringMatching(/^warn history has more than 10/)])
    expect(await overwritten({ retain: 'all' })).toEqual([])
  })
})

describe('maxViewAgeMs', () => {
  test('warns of each view and snapshot that is older, once, with the stack', async () => {
    const clock = new FakeClock()
    const { logger, lines } = recorder()
    const options = { logger, maxViewAgeMs: 1000 }
    await using store = await openOn(new MemoryDisk(), '/data', options, { clock })
    const warnings = async (): Promise<readonly Line[]> => {
      await nextTurn()
      return lines.filter(({ level }) => level === 'warn')
    }
    const openedByMe = (): void => void store.view()
    store.view().close()
    clock.advance(500)
    openedByMe()
    clock.advance(400)
    const snapshot = store.snapshot()
    const closed = store.view()
    clock.advance(599)
    expect(await warnings()).toEqual([])
    clock.advance(1)
    // Not from within whatever the store does.
    expect(lines.filter(({ level }) => level === 'warn')).toEqual([])
    expect(await warnings()).toMatchObject([
      { facts: { path: '/data', revision: 1, ageMs: 1000, stack: expect.any(String) as string } },
    ])
    expect((await warnings())[0]?.facts['stack']).toContain('openedByMe')
    closed.close()
    clock.advance(10_000)
    expect(await warnings()).toHaveLength(2)
    await snapshot.close()
    clock.advance(10_000)
    expect(await warnings()).toHaveLength(2)
    expect(clock.timerCount).toBe(0)
    expect(store.stats()).toMatchObject({ viewCount: 1, oldestViewMs: 21_000 })
    store.view()
    expect(clock.timerCount).toBe(1)
    await store.close()
    expect(clock.timerCount).toBe(0)
  })

  test('keeps no process alive', async () => {
    const asked: unknown[] = []
    const clock = {
      ...systemClock,
      setTimer: (...args: Parameters<typeof systemClock.setTimer>): (() => void) => {
        asked.push(args[2])
        return systemClock.setTimer(...args)
      },
    }
    const options = { logger: recorder().logger, maxViewAgeMs: 60_000 }
    await using store = await openOn(new MemoryDisk(), '/data', options, { clock })
    store.view()
    expect(asked).toEqual([{ keepsAlive: false }])
  })
})
