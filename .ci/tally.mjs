/**
 * Sums the reports of a run.
 *
 *   node .ci/tally.mjs FOLDER             prints `N passed, N failed[, N skipped]`; ends with 1 if any
 *                                         failed or none passed
 *   node .ci/tally.mjs --has-failed FILE  ends with 0 if that report counts a failed test
 */
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

/** A report of vitest, or of the canaries, which write the same three numbers. */
function count(path) {
  const report = JSON.parse(readFileSync(path, 'utf8'))
  const { numPassedTests, numFailedTests, numPendingTests, numTodoTests } = report
  // A file that didn't load has no tests to count as failed.
  const broken = (report.testResults ?? []).filter(
    (file) => file.status === 'failed' && file.assertionResults.length === 0,
  )
  return {
    passed: numPassedTests,
    failed: numFailedTests + broken.length,
    skipped: numPendingTests + numTodoTests,
  }
}

function hasFailed(path) {
  try {
    return count(path).failed > 0
  } catch {
    return false
  }
}

function sum(folder) {
  const total = { passed: 0, failed: 0, skipped: 0 }
  for (const name of readdirSync(folder)) {
    if (name.endsWith('.failed')) total.failed += 1
    if (!name.endsWith('.json')) continue
    const { passed, failed, skipped } = count(join(folder, name))
    total.passed += passed
    total.failed += failed
    total.skipped += skipped
  }
  return total
}

const [first, second] = process.argv.slice(2)
if (first === '--has-failed') {
  process.exitCode = hasFailed(second) ? 0 : 1
} else {
  const { passed, failed, skipped } = sum(first)
  const also = skipped === 0 ? '' : `, ${skipped} skipped`
  console.log(`${passed} passed, ${failed} failed${also}`)
  process.exitCode = failed > 0 || passed === 0 ? 1 : 0
}
