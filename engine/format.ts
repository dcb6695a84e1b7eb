/**
 * bbolt's file format, version 2, as constants. docs/file-format.md draws it.
 *
 * All integers are little-endian. A page begins with a 16-byte header at `pgid × pageSize`:
 *
 *   0  8  id        its own pgid; 0 in the page of an inline bucket
 *   8  2  flags     exactly one of the PAGE_… values
 *   10 2  count     elements that follow
 *   12 4  overflow  whole pages that continue this one
 *   16 …  elements of 16 bytes each, then keys and values packed in element order
 *
 * A branch element: pos u32, ksize u32, pgid u64. A leaf element: flags u32, pos u32, ksize u32,
 * vsize u32. `pos` counts from the element's own first byte to its key.
 *
 * Source: etcd-io/bbolt internal/common (page.go, meta.go, inode.go, bucket.go) @ 4e65d8f.
 */

export const META_MAGIC = 0xed0cdaed
export const META_MAGIC_BIG_ENDIAN = 0xedda0ced
export const FORMAT_VERSION = 2

export const PAGE_BRANCH = 0x01
export const PAGE_LEAF = 0x02
export const PAGE_META = 0x04
export const PAGE_FREELIST = 0x10

export const PAGE_HEADER_SIZE = 16
export const ELEMENT_SIZE = 16
export const META_SIZE = 64
export const BUCKET_HEADER_SIZE = 16

/** The leaf element flag that says: the value is a bucket. */
export const LEAF_FLAG_BUCKET = 0x01

/** bbolt refuses a page of 65535 elements or more. */
export const PAGE_COUNT_MAX = 0xfffe
/** A freelist `count` of this value says that the first id slot holds the real count. */
export const FREELIST_COUNT_WIDE = 0xffff

export const KEY_SIZE_MAX = 32768
export const VALUE_SIZE_MAX = 2147483646

export const PAGE_SIZE_MIN = 1024
export const PAGE_SIZE_MAX = 65536
export const PAGE_SIZE_DEFAULT = 4096

/** A branch below the root with fewer children breaks a later bbolt writer. */
export const BRANCH_CHILDREN_MIN = 2

/** No tree of legal pages is deeper: the walk stops here and calls the file damaged. */
export const TREE_DEPTH_MAX = 64

export const FILL_PERCENT_DEFAULT = 0.5
export const FILL_PERCENT_MIN = 0.1
export const FILL_PERCENT_MAX = 1

/** How many bytes of address space bbolt and we keep ahead of the high-water mark. */
export const GROW_STEP: number = 16 * 1024 * 1024

export function isPageSize(value: number): boolean {
  return value >= PAGE_SIZE_MIN && value <= PAGE_SIZE_MAX && (value & (value - 1)) === 0
}

/** Pages that `sizeBytes` of page content take, header included. */
export function pagesFor(sizeBytes: number, pageSizeBytes: number): number {
  return Math.max(1, Math.ceil(sizeBytes / pageSizeBytes))
}
