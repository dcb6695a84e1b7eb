import { describe, expect, test } from 'vitest'
import { KeyRecords } from './key-records.ts'
import { KeyTable } from './key-table.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

describe('KeyTable', () => {
  test('finds what was added and nothing else, through splits and removals', () => {
    const records = new KeyRecords()
    const table = new KeyTable(records, { seed: 7 })
    const added = new Map<string, number>()
    for (let round = 0; round < 6; round++) {
      for (let i = 0; i < 9000; i++) {
        const name = `round ${round} key ${i}`
        const record = records.add(bytes(name))
        table.add(bytes(name), record)
        added.set(name, record)
      }
      for (const name of [...added.keys()].filter((_, i) => i % 3 !== round % 3)) {
        table.remove(bytes(name))
        added.delete(name)
      }
      table.verify(added.values())
      expect(table.count).toBe(added.size)
      for (let i = 0; i < 1000; i++) expect(table.find(bytes(`round ${round} kez ${i}`))).toBe(0)
    }
  })

  test('holds the same whether keys were loaded or added, and takes no more room', () => {
    const records = new KeyRecords()
    const [loaded, other] = [new KeyTable(records, { seed: 7 }), new KeyTable(records, { seed: 7 })]
    loaded.beginLoad()
    const names = Array.from({ length: 20_000 }, (_, i) => bytes(`key ${i}`))
    const added = names.map((name) => records.add(name))
    added.forEach((record, i) => {
      for (const table of [loaded, other]) table.add(names[i] ?? bytes(''), record)
    })
    loaded.verify(added)
    loaded.endLoad()
    expect(loaded.allocatedBytes).toBe(other.allocatedBytes)
    // It splits on by the keys themselves.
    for (let i = 0; i < 20_000; i++) {
      const name = bytes(`later ${i}`)
      added.push(records.add(name))
      loaded.add(name, added.at(-1) ?? 0)
    }
    loaded.verify(added)
  })

  test('takes eleven bytes a key at most once it has more than a segment', () => {
    const records = new KeyRecords()
    const table = new KeyTable(records)
    for (let i = 0; i < 60_000; i++) {
      const name = bytes(`k${i}`)
      table.add(name, records.add(name))
      if (i > 4096) expect(table.allocatedBytes / i).toBeLessThan(12)
    }
  })

  test('keys that come and go take no more room', () => {
    const records = new KeyRecords()
    const table = new KeyTable(records)
    for (let i = 0; i < 100_000; i++) {
      const name = bytes(`k${i}`)
      const record = records.add(name)
      table.add(name, record)
      table.remove(name)
      records.release(record)
    }
    expect(table.allocatedBytes).toBe(4096 * 5)
  })

  test('a segment that splitting does not help becomes larger', () => {
    const records = new KeyRecords()
    // Two of five bits of a place are taken from the first ones, so 8 slots are soon too few.
    const table = new KeyTable(records, { segmentSlots: 8 })
    const added: number[] = []
    for (let i = 0; i < 3000; i++) {
      const name = bytes(`k${i}`)
      added.push(records.add(name))
      table.add(name, added.at(-1) ?? 0)
    }
    table.verify(added)
  })

  test('another seed puts keys elsewhere', () => {
    const records = new KeyRecords()
    const name = bytes('k')
    const record = records.add(name)
    expect(records.hash(record, 1)).not.toBe(records.hash(record, 2))
    expect(records.hash(record, 1)).toBe(records.hash(records.add(name), 1))
  })
})
