/**
 * What the thread of the lane runs, and the memory it shares with real-lane.ts.
 *
 * The shared memory is a ring of `SLOT_COUNT` slots behind two counters:
 *
 *   offset  size                     what
 *   0       4                        submitted: how many slots were ever filled, modulo 2^32
 *   4       4                        completed: how many of these are done, modulo 2^32
 *   8       4                        1 once the thread has begun to look at the ring
 *   64      SLOT_COUNT × 64          headers of the slots
 *   …       SLOT_COUNT × SLOT_SIZE   their bytes
 *
 *   header, offset  size  what
 *   0               4     descriptor
 *   4               4     how many bytes
 *   8               4     what to do: `ACTION`
 *   12              4     file: a number that no other file of the lane has
 *   16              4     result: `RESULT`; the bytes of a failed slot are the error's code, a
 *                         line feed and its message, in UTF-8, and the size is theirs
 *   24              8     position in the file, a double
 *
 * Invariants
 *   1. Slot n (modulo SLOT_COUNT) belongs to the thread from when `submitted` passes n until
 *      `completed` does, and to the owner otherwise. Both counters only go up.
 *   2. Slots are carried out one after the other, in order.
 *   3. After a slot of a file failed, all later slots of that file are skipped.
 *
 * The code is a string, so that no bundler has to know of a second file, and no transpiler's
 * additions get into it. It loads `node:fs` and `node:worker_threads` only.
 */

export const SLOT_COUNT = 8
export const SLOT_SIZE: number = 256 * 1024

const CONTROL_SIZE = 64
export const HEADER_SIZE = 64
export const HEADERS_START: number = CONTROL_SIZE
export const BYTES_START: number = HEADERS_START + SLOT_COUNT * HEADER_SIZE
export const RING_SIZE: number = BYTES_START + SLOT_COUNT * SLOT_SIZE

/**
 * Where the counters begin. They wrap at 2^31, and each lane passes that place soon rather than
 * after days.
 */
export const COUNTER_START: number = 2 ** 31 - 100

/** Words of the control area. */
export const CONTROL = { submitted: 0, completed: 1, isRunning: 2 } as const

/** Words of a header. */
export const HEADER = { descriptor: 0, size: 1, action: 2, file: 3, result: 4 } as const
/** The position's index in a header's doubles. */
export const HEADER_POSITION = 3

/** `end`: nothing is written, and the thread ends. The others write the bytes. */
export const ACTION = { write: 0, writeAndDataSync: 1, writeAndFullSync: 2, end: 3 } as const

/** What became of a slot. `skipped`: its file had failed before. */
export const RESULT = { done: 0, writeFailed: 1, syncFailed: 2, skipped: 3 } as const

/**
 * To be run with `eval: true` and the ring's memory as `workerData`. A script or a module: which of
 * the two it is taken for depends on options of the process.
 */
export const LANE_SOURCE: string = `'use strict'
const { fdatasyncSync, fsyncSync, writeSync } = process.getBuiltinModule('node:fs')
const { workerData: memory } = process.getBuiltinModule('node:worker_threads')

const control = new Int32Array(memory, 0, ${CONTROL_SIZE / 4})
const slots = Array.from({ length: ${SLOT_COUNT} }, (_, i) => ({
  header: new Int32Array(memory, ${HEADERS_START} + i * ${HEADER_SIZE}, ${HEADER_SIZE / 4}),
  doubles: new Float64Array(memory, ${HEADERS_START} + i * ${HEADER_SIZE}, ${HEADER_SIZE / 8}),
  bytes: new Uint8Array(memory, ${BYTES_START} + i * ${SLOT_SIZE}, ${SLOT_SIZE}),
}))
const failed = new Set()
const text = (bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)

function carryOut({ header, doubles, bytes }) {
  const descriptor = header[${HEADER.descriptor}]
  const size = header[${HEADER.size}]
  const file = header[${HEADER.file}]
  if (failed.has(file)) {
    header[${HEADER.result}] = ${RESULT.skipped}
    return
  }
  let failure = ${RESULT.writeFailed}
  try {
    for (let done = 0; done < size; ) {
      const position = doubles[${HEADER_POSITION}] + done
      const written = writeSync(descriptor, bytes, done, size - done, position)
      if (written === 0) throw new Error('the system wrote 0 bytes and gave no reason')
      done += written
    }
    const action = header[${HEADER.action}]
    failure = ${RESULT.syncFailed}
    if (action === ${ACTION.writeAndDataSync}) fdatasyncSync(descriptor)
    if (action === ${ACTION.writeAndFullSync}) fsyncSync(descriptor)
    header[${HEADER.result}] = ${RESULT.done}
  } catch (error) {
    failed.add(file)
    header[${HEADER.result}] = failure
    header[${HEADER.size}] = text(bytes).write(error.code + '\\n' + error.message)
  }
}

let completed = control[${CONTROL.completed}]
let isEnding = false
Atomics.store(control, ${CONTROL.isRunning}, 1)
while (!isEnding) {
  while (Atomics.load(control, ${CONTROL.submitted}) === completed) {
    Atomics.wait(control, ${CONTROL.submitted}, completed)
  }
  const slot = slots[completed & ${SLOT_COUNT - 1}]
  if (slot.header[${HEADER.action}] === ${ACTION.end}) isEnding = true
  else carryOut(slot)
  completed = (completed + 1) | 0
  Atomics.store(control, ${CONTROL.completed}, completed)
  Atomics.notify(control, ${CONTROL.completed})
}
`
