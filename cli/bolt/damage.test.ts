/** Damaged files, and files that are none: explained, with the right exit code. */
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Ran } from '../../proptest/bolt/run-bolt.ts'
import { boltIn, jsonLines } from '../../proptest/bolt/run-bolt.ts'
import { Forgery } from '../../proptest/faults/crafted.ts'
import { flipped } from '../../proptest/faults/damage.ts'
import type { Sample } from '../../proptest/faults/sample.ts'
import { SAMPLE_PAGE_SIZE, makeSample } from '../../proptest/faults/sample.ts'

let directory = ''
let sample: Sample

/** Commands that look at a file whatever it is. */
const RAW = [['info'], ['check'], ['pages'], ['inspect'], ['page', '3'], ['dump', '3']]
/** Commands that need a database. */
const READING = [['buckets'], ['keys', 'deep'], ['get', 'overflow', 'long'], ['stats']]

async function bolt(args: readonly string[]): Promise<Ran> {
  const ran = await boltIn(directory, args)
  const printed = ran.stdout + ran.stderr
  expect(printed).not.toMatch(/^ {4}at /m)
  expect(printed).not.toContain('internal error')
  return ran
}

/** Puts the file argument where it belongs. */
function on(name: string, [command = '', ...rest]: readonly string[]): readonly string[] {
  return [command, name, ...rest]
}

async function write(name: string, bytes: Uint8Array): Promise<void> {
  await writeFile(join(directory, name), bytes)
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'revbolt-test-'))
  sample = await makeSample('sync')
})

afterAll(async () => {
  await rm(directory, { recursive: true, force: true })
})

describe('a file that is no bbolt file', () => {
  const zeros = (size: number): Buffer => Buffer.alloc(size)
  const noise = (size: number): Buffer =>
    Buffer.from(Array.from({ length: size }, (_, i) => (i * 7919 + (i >> 3) * 104729) & 0xff))
  const begins = (hex: string, offset = 0): Buffer => {
    const bytes = zeros(20_000).fill(1, 1000)
    Buffer.from(hex, 'hex').copy(bytes, offset)
    return bytes
  }

  test.each([
    ['empty', zeros(0), 'it is empty'],
    ['zeros', zeros(20_000), 'it is all zeros'],
    ['sqlite', begins(Buffer.from('SQLite format 3\0').toString('hex')), 'an SQLite 3 database'],
    ['gzip', begins('1f8b08'), 'gzip-compressed'],
    ['lmdb', begins('dec0efbe', 16), 'an LMDB database (data.mdb)'],
    ['big-endian', begins('ed0cdaed', 16), 'a bbolt database of a big-endian machine'],
    ['text', Buffer.from('Dear diary,\n'.repeat(500)), 'it is text'],
    ['short', begins('00').subarray(0, 100), 'not a bbolt database'],
    ['noise', noise(20_000), 'neither of its metas has'],
  ])('%s: exit code 3, and what it is', async (name, bytes, message) => {
    await write(name, bytes)
    for (const command of [...RAW, ...READING]) {
      const { code, stdout, stderr } = await bolt(on(name, command))
      expect({ command, code, stdout }).toEqual({ command, code: 3, stdout: '' })
      expect(stderr).toContain(`revbolt bolt: ${name} is not a bbolt database`)
      expect(stderr).toContain(message)
    }
  })

  test('a missing file, a directory, a path through a file: exit code 3', async () => {
    await mkdir(join(directory, 'etcd', 'member', 'snap'), { recursive: true })
    await write(join('etcd', 'member', 'snap', 'db'), sample.bytes)
    await write('plain', sample.bytes)
    for (const command of [...RAW, ...READING]) {
      const missing = await bolt(on('nothing', command))
      expect(missing).toMatchObject({ code: 3, stderr: 'revbolt bolt: there is no file nothing\n' })
      const folder = await bolt(on('etcd', command))
      expect(folder.code).toBe(3)
      expect(folder.stderr).toContain('etcd is a directory')
      expect(folder.stderr).toContain(`its database is ${join('etcd', 'member', 'snap', 'db')}`)
      const through = await bolt(on(join('plain', 'x'), command))
      expect(through.code).toBe(3)
      expect(through.stderr).toContain('there is no file')
    }
  })

  // The superuser may read everything.
  test.skipIf(process.getuid?.() === 0)('no permission: exit code 3', async () => {
    await write('secret', sample.bytes)
    await chmod(join(directory, 'secret'), 0o000)
    for (const command of [...RAW, ...READING]) {
      const { code, stderr } = await bolt(on('secret', command))
      expect(code).toBe(3)
      expect(stderr).toContain('there is no permission to read secret')
    }
  })
})

describe('a damaged file', () => {
  const damaged = (edit: (forgery: Forgery) => void): Uint8Array => {
    const forgery = new Forgery(sample.bytes, SAMPLE_PAGE_SIZE)
    edit(forgery)
    return forgery.bytes
  }

  test('both metas damaged: each is shown with what is wrong, and pages can be looked at', async () => {
    await write(
      'metas',
      damaged(({ view }) => {
        view.setUint32(16 + 16, 77, true)
        view.setUint32(SAMPLE_PAGE_SIZE + 16 + 16, 77, true)
      }),
    )
    const info = await bolt(['info', 'metas'])
    expect(info.code).toBe(1)
    expect(info.stdout.match(/its checksum does not match/g)).toHaveLength(2)
    expect(info.stdout).toMatch(/root +page 77/)
    const check = await bolt(['check', 'metas'])
    expect(check.code).toBe(1)
    expect(check.stdout).toContain('metas is damaged: it can’t be opened')
    expect(check.stdout).toContain('By their headers')
    expect((await bolt(['page', 'metas', '3'])).stdout).toContain('Page 3: ')
    expect((await bolt(['pages', 'metas'])).code).toBe(1)
    for (const command of READING) {
      const { code, stderr } = await bolt(on('metas', command))
      expect({ command, code }).toEqual({ command, code: 1 })
      expect(stderr).toContain('revbolt bolt check metas')
    }
  })

  test('both metas gone: the page size is guessed, or taken from --page-size', async () => {
    const bytes = damaged(({ bytes: all }) => all.fill(0, 0, 2 * SAMPLE_PAGE_SIZE))
    await write('gone', bytes)
    const [guessed] = jsonLines(await bolt(['info', 'gone', '--json']))
    expect(guessed).toMatchObject({ pageSizeBytes: SAMPLE_PAGE_SIZE, pageSizeSource: 'guess' })
    await write(
      'little',
      bytes
        .subarray(0, 5 * SAMPLE_PAGE_SIZE)
        .fill(0, 2 * SAMPLE_PAGE_SIZE + 8, 3 * SAMPLE_PAGE_SIZE),
    )
    const dump = await bolt(['dump', 'little', '3', '--page-size', '1024'])
    expect(dump.code).toBe(0)
    expect(dump.stdout).toContain('Page 3, 1.00 KiB')
  })

  test('one meta damaged: the other one is read, and the note says so', async () => {
    const slot = new Forgery(sample.bytes, SAMPLE_PAGE_SIZE).newestSlot()
    await write('one', flipped(sample.bytes, slot * SAMPLE_PAGE_SIZE + 64, 1))
    const check = await bolt(['check', 'one'])
    expect(check.code).toBe(0)
    expect(check.stdout).toContain('one is sound, save for one of its metas')
    expect(check.stdout).toMatch(
      new RegExp(`meta ${slot} is passed over: its checksum is\\s+wrong`),
    )
    const previous = await bolt(['check', 'one', '--generation', 'previous'])
    expect(previous.code).toBe(1)
    expect(previous.stderr).toContain('one holds no generation before the newest one')
  })

  test('cut short: what is missing, and what is left', async () => {
    await write('cut', sample.bytes.subarray(0, 9 * SAMPLE_PAGE_SIZE + 100))
    const info = await bolt(['info', 'cut'])
    expect(info.code).toBe(1)
    expect(info.stdout).toContain('but the file ends')
    expect(info.stdout).toContain('The file was cut short')
    const check = await bolt(['check', 'cut'])
    expect(check.code).toBe(1)
    expect(check.stdout).toMatch(/The file ends early: \d+ pages/)
    const inspect = await bolt(['inspect', 'cut'])
    expect(inspect.code).toBe(1)
    expect(inspect.stdout).toContain('×')
  })

  test('a bad page: named with its offset, its bucket, and what is whole', async () => {
    const leaf = await leafOf('overflow')
    await write('leaf', flipped(sample.bytes, leaf.offset + 40, 1))
    const check = await bolt(['check', 'leaf'])
    expect(check.code).toBe(1)
    expect(check.stdout).toContain(`page ${leaf.id}, at offset ${leaf.offset}, bucket "overflow"`)
    expect(check.stdout).toContain('That means: ')
    expect(check.stdout).toContain('overflow: damaged in 1 page')
    expect(check.stdout).toContain('deep: whole, 16 keys')
    const page = await bolt(['page', 'leaf', `${leaf.id}`])
    expect(page.code).toBe(1)
    expect(page.stdout).toMatch(/^ {2}wrong {2}/m)
    const get = await bolt(['get', 'leaf', 'overflow', 'long'])
    expect(get.code).toBe(1)
    expect(get.stderr).toContain(`page ${leaf.id}: `)
    expect((await bolt(['keys', 'leaf', 'deep'])).code).toBe(0)
    const unlocked = await bolt(['check', 'leaf', '--no-lock'])
    expect(unlocked.stdout).toContain('It was looked at without a lock')
    expect((await bolt(['pages', 'leaf', '--type', 'damaged'])).stdout).toContain(
      `${leaf.id}  damaged`,
    )
  })

  test('a changed byte in a value: --lenient reads on, and says how to save the rest', async () => {
    const { id, offset } = await leafOf('overflow')
    await write('value', flipped(sample.bytes, offset + 1000, 1))
    const check = await bolt(['check', 'value'])
    expect(check.stdout).toContain(`page-seal  page ${id}, `)
    expect(check.stdout).toContain('`revbolt bolt compact --lenient value TARGET`')
    expect((await bolt(['get', 'value', 'overflow', 'long'])).code).toBe(1)
    expect((await bolt(['get', 'value', 'overflow', 'long', '--lenient'])).code).toBe(0)
    expect((await bolt(['compact', '--lenient', 'value', 'mended'])).code).toBe(0)
    expect((await bolt(['check', 'mended'])).code).toBe(0)
  })

  test('a whole generation before: copy it, says the advice, and that works', async () => {
    // The last commit changed the bucket "nested" and the root.
    await write('whole', sample.bytes)
    const rootPage: number = jsonLines(await bolt(['info', 'whole', '--json']))[0]!['rootPage']
    await write('newest', flipped(sample.bytes, rootPage * SAMPLE_PAGE_SIZE + 20, 1))
    const check = await bolt(['check', 'newest'])
    expect(check.code).toBe(1)
    expect(check.stdout).toContain('copy --generation previous newest TARGET')
    expect((await bolt(['copy', 'newest', 'saved', '--generation', 'previous'])).code).toBe(0)
    expect((await bolt(['check', 'saved'])).code).toBe(0)
  })

  test('a tree that leads back to itself ends', async () => {
    await write('whole', sample.bytes)
    const rows = jsonLines(await bolt(['pages', 'whole', '--json', '--type', 'branch']))
    const pgid: number = rows[0]!['id']
    await write(
      'cycle',
      damaged((forgery) => {
        const branch = forgery.layouts().find((layout) => layout.pgid === pgid)!
        forgery.setU64(forgery.element(branch, 0) + 8, BigInt(pgid))
        forgery.reseal(branch)
      }),
    )
    const check = await bolt(['check', 'cycle'])
    expect(check.code).toBe(1)
    expect(check.stdout).toContain('page-reached-twice')
    expect((await bolt(['inspect', 'cycle'])).code).toBe(1)
  })

  async function leafOf(bucket: string): Promise<{ readonly id: number; readonly offset: number }> {
    await write('sound', sample.bytes)
    const rows = jsonLines(await bolt(['pages', 'sound', '--json']))
    const row = rows.find((each) => each['type'] === 'leaf' && each['bucket'][0]?.text === bucket)!
    return { id: row['id'], offset: row['offset'] }
  }
})
