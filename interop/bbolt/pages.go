package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"os"
)

// A strict look at the raw pages, which does not go through bbolt. It holds a file to what bbolt itself
// writes, also where bbolt's own check is silent and a later writer of bbolt's would do damage:
//
//   - a branch's separator is its child's first key;
//   - a branch has two children or more, and only a root may be an empty leaf;
//   - elements are packed without gaps, in order;
//   - every id below the high-water mark is reachable or free, never both;
//   - a bucket is inline if and only if bbolt would read it so, and no larger than a quarter of a page;
//   - the tree of the other valid meta is whole as well: the file at rest holds two generations.

const (
	flagBranch   = 0x01
	flagLeaf     = 0x02
	flagMeta     = 0x04
	flagFreelist = 0x10

	headerSize  = 16
	elementSize = 16
	noFreelist  = ^uint64(0)
	depthMax    = 100
)

var le = binary.LittleEndian

// fileMeta is one valid meta page.
type fileMeta struct {
	slot, pageSize            int
	flags                     uint32
	root, sequence            uint64
	freelist, highWater, txid uint64
}

// rawFile is a whole file in memory, and what is known of it.
type rawFile struct {
	data     []byte
	pageSize int
	metas    []fileMeta // valid ones, newest first
}

// parseMeta reads the meta at a byte offset; ok is false where it does not validate.
func parseMeta(data []byte, offset, slot int) (m fileMeta, ok bool) {
	if offset+headerSize+64 > len(data) {
		return m, false
	}
	b := data[offset+headerSize:]
	sum := fnv.New64a()
	sum.Write(b[:56])
	if le.Uint32(b) != 0xED0CDAED || le.Uint32(b[4:]) != 2 || le.Uint64(b[56:]) != sum.Sum64() {
		return m, false
	}
	return fileMeta{
		slot:      slot,
		pageSize:  int(le.Uint32(b[8:])),
		flags:     le.Uint32(b[12:]),
		root:      le.Uint64(b[16:]),
		sequence:  le.Uint64(b[24:]),
		freelist:  le.Uint64(b[32:]),
		highWater: le.Uint64(b[40:]),
		txid:      le.Uint64(b[48:]),
	}, true
}

// readRaw reads a file and finds its metas, as the format says: meta 0 first, else meta 1 at any page size.
func readRaw(path string) (*rawFile, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r := &rawFile{data: data}
	meta0, ok0 := parseMeta(data, 0, 0)
	if ok0 {
		r.pageSize = meta0.pageSize
		r.metas = append(r.metas, meta0)
		if meta1, ok := parseMeta(data, r.pageSize, 1); ok {
			r.metas = append(r.metas, meta1)
		}
	} else {
		for shift := 0; shift < 15 && len(r.metas) == 0; shift++ {
			if meta1, ok := parseMeta(data, 1024<<shift, 1); ok {
				r.pageSize = meta1.pageSize
				r.metas = append(r.metas, meta1)
			}
		}
	}
	if len(r.metas) == 0 {
		return nil, fmt.Errorf("no valid meta page")
	}
	if len(r.metas) == 2 && r.metas[1].txid > r.metas[0].txid {
		r.metas[0], r.metas[1] = r.metas[1], r.metas[0]
	}
	return r, nil
}

// examiner looks at one generation.
type examiner struct {
	*rawFile
	meta   fileMeta
	source string
	f      *findings
	seen   map[uint64]bool
	stats  object
	inline int
	pages  int
	depth  int
}

func examinePages(path string, f *findings, summary object) {
	info, err := os.Stat(path)
	if err != nil {
		f.add("pages", "%v", err)
		return
	}
	if info.Size() > 1<<30 {
		summary["pagesSkipped"] = "the file is too large to look at as a whole"
		return
	}
	r, err := readRaw(path)
	if err != nil {
		f.add("pages", "%v", err)
		return
	}
	summary["pageSize"], summary["metas"], summary["fileSize"] = r.pageSize, len(r.metas), len(r.data)
	for i, meta := range r.metas {
		x := &examiner{rawFile: r, meta: meta, source: "pages", f: f, seen: map[uint64]bool{}, stats: summary}
		if i > 0 {
			x.source = "previous"
		}
		f.guard(x.source, func() { x.run() })
	}
}

func (x *examiner) add(format string, args ...interface{}) {
	x.f.add(x.source, format, args...)
}

func (x *examiner) run() {
	m := x.meta
	if uint64(len(x.data)) < m.highWater*uint64(x.pageSize) {
		x.add("file of %d bytes is shorter than its high-water mark %d", len(x.data), m.highWater)
		return
	}
	if len(x.data) < 4096 {
		x.add("file of %d bytes is shorter than the 4096 that bbolt reads first", len(x.data))
	}
	if m.pageSize != x.pageSize {
		x.add("meta %d has page size %d, not %d", m.slot, m.pageSize, x.pageSize)
	}
	head := x.data[m.slot*x.pageSize:]
	if le.Uint64(head) != uint64(m.slot) || le.Uint16(head[8:]) != flagMeta {
		x.add("meta page %d has id %d and flags %#x", m.slot, le.Uint64(head), le.Uint16(head[8:]))
	}
	x.tree(m.root, "root")
	free := x.freelist()
	if x.source == "pages" {
		x.stats["freelistIds"] = free
		x.stats["treePages"], x.stats["inlineBuckets"], x.stats["depth"] = x.pages, x.inline, x.depth
		x.stats["highWater"], x.stats["metaFlags"], x.stats["rootSequence"] = m.highWater, m.flags, fmt.Sprint(m.sequence)
	}
}

// claim marks a page run as used, and returns its bytes.
func (x *examiner) claim(id uint64, where string) ([]byte, bool) {
	if id < 2 || id >= x.meta.highWater {
		x.add("%s: page %d is out of bounds (%d)", where, id, x.meta.highWater)
		x.f.isFatal = true
		return nil, false
	}
	start := id * uint64(x.pageSize)
	head := x.data[start:]
	overflow := uint64(le.Uint32(head[12:]))
	if le.Uint64(head) != id {
		x.add("%s: page %d says that it is %d", where, id, le.Uint64(head))
		x.f.isFatal = true
		return nil, false
	}
	if id+overflow >= x.meta.highWater {
		x.add("%s: page %d with overflow %d is out of bounds (%d)", where, id, overflow, x.meta.highWater)
		x.f.isFatal = true
		return nil, false
	}
	for i := id; i <= id+overflow; i++ {
		if x.seen[i] {
			x.add("%s: page %d has more than one reference", where, i)
			return nil, false
		}
		x.seen[i] = true
	}
	return x.data[start : start+(1+overflow)*uint64(x.pageSize)], true
}

// element is one entry of a page, its bytes lent.
type element struct {
	key, value []byte
	flags      uint32
	child      uint64
}

// elements reads a page's entries, and tells whether they are packed as bbolt packs them.
func (x *examiner) elements(page []byte, where string) []element {
	flags, count := le.Uint16(page[8:]), int(le.Uint16(page[10:]))
	list := make([]element, 0, count)
	next := headerSize + count*elementSize
	if next > len(page) {
		x.add("%s: %d elements in %d bytes", where, count, len(page))
		x.f.isFatal = true
		return nil
	}
	for i := 0; i < count; i++ {
		at := headerSize + i*elementSize
		raw := page[at:]
		var e element
		var pos, keySize, valueSize int
		if flags == flagBranch {
			pos, keySize, e.child = int(le.Uint32(raw)), int(le.Uint32(raw[4:])), le.Uint64(raw[8:])
		} else {
			e.flags, pos = le.Uint32(raw), int(le.Uint32(raw[4:]))
			keySize, valueSize = int(le.Uint32(raw[8:])), int(le.Uint32(raw[12:]))
		}
		if at+pos != next {
			x.add("%s: element %d lies at %d, not at %d", where, i, at+pos, next)
		}
		if end := at + pos + keySize + valueSize; end > len(page) {
			x.add("%s: element %d of %d ends at %d of %d bytes", where, i, count, end, len(page))
			x.f.isFatal = true
			return list
		}
		e.key = page[at+pos : at+pos+keySize]
		e.value = page[at+pos+keySize : at+pos+keySize+valueSize]
		next = at + pos + keySize + valueSize
		if keySize == 0 {
			x.add("%s: element %d has an empty key", where, i)
		}
		if i > 0 && bytes.Compare(list[i-1].key, e.key) >= 0 {
			x.add("%s: element %d is not greater than the one before", where, i)
		}
		if e.flags > 1 {
			x.add("%s: element %d has flags %#x", where, i, e.flags)
		}
		list = append(list, e)
	}
	return list
}

// tree looks at a bucket's pages, and at the buckets in it.
func (x *examiner) tree(root uint64, where string) {
	page, ok := x.claim(root, where)
	if !ok {
		return
	}
	x.page(page, root, where, 1)
}

// page looks at a page and what is below it, and returns its first key.
func (x *examiner) page(page []byte, id uint64, where string, depth int) []byte {
	x.pages++
	at := fmt.Sprintf("%s page %d", where, id)
	if depth > depthMax {
		x.add("%s: deeper than %d", at, depthMax)
		x.f.isFatal = true
		return nil
	}
	if depth > x.depth {
		x.depth = depth
	}
	flags := le.Uint16(page[8:])
	if flags != flagBranch && flags != flagLeaf {
		x.add("%s: flags %#x", at, flags)
		x.f.isFatal = true
		return nil
	}
	list := x.elements(page, at)
	if flags == flagBranch {
		x.branch(list, at, where, depth)
	} else {
		if len(list) == 0 && depth > 1 {
			x.add("%s: an empty leaf that is not a root", at)
		}
		x.leaf(list, at, where)
	}
	if len(list) == 0 {
		return nil
	}
	return list[0].key
}

func (x *examiner) branch(list []element, at, where string, depth int) {
	if len(list) < 2 {
		x.add("%s: a branch with %d children", at, len(list))
	}
	for i, e := range list {
		child, ok := x.claim(e.child, at)
		if !ok {
			continue
		}
		first := x.page(child, e.child, where, depth+1)
		if !bytes.Equal(first, e.key) {
			x.add("%s: separator %d is %s, its child begins with %s", at, i, short(e.key), short(first))
		}
	}
}

func (x *examiner) leaf(list []element, at, where string) {
	for _, e := range list {
		if e.flags != 1 {
			continue
		}
		name := where + "/" + short(e.key)
		if len(e.value) < 16 {
			x.add("%s: bucket value of %d bytes", name, len(e.value))
			continue
		}
		if root := le.Uint64(e.value); root != 0 {
			if len(e.value) != 16 {
				x.add("%s: bucket value of %d bytes, not 16", name, len(e.value))
			}
			x.tree(root, name)
			continue
		}
		x.inlined(e.value[16:], name)
	}
}

// inlined looks at a bucket that lives in its parent's leaf.
func (x *examiner) inlined(page []byte, name string) {
	x.inline++
	if len(page) < headerSize {
		x.add("%s: inline page of %d bytes", name, len(page))
		return
	}
	if le.Uint64(page) != 0 || le.Uint16(page[8:]) != flagLeaf || le.Uint32(page[12:]) != 0 {
		x.add("%s: inline page with id %d, flags %#x, overflow %d", name, le.Uint64(page), le.Uint16(page[8:]), le.Uint32(page[12:]))
		return
	}
	used := headerSize
	for _, e := range x.elements(page, name) {
		used += elementSize + len(e.key) + len(e.value)
		if e.flags != 0 {
			x.add("%s: a bucket in an inline bucket", name)
		}
	}
	if used != len(page) {
		x.add("%s: inline page of %d bytes uses %d", name, len(page), used)
	}
	if used > x.pageSize/4 {
		x.add("%s: inline page of %d bytes in pages of %d", name, used, x.pageSize)
	}
}

// freelist looks at the free ids against what the tree uses, and returns how many there are, or -1 where the
// file keeps no freelist.
func (x *examiner) freelist() int {
	if x.meta.freelist == noFreelist {
		return -1
	}
	page, ok := x.claim(x.meta.freelist, "freelist")
	if !ok {
		return 0
	}
	if le.Uint16(page[8:]) != flagFreelist {
		x.add("freelist page %d has flags %#x", x.meta.freelist, le.Uint16(page[8:]))
		return 0
	}
	count, at := uint64(le.Uint16(page[10:])), headerSize
	if count == 0xFFFF {
		count, at = le.Uint64(page[headerSize:]), headerSize+8
		if count < 0xFFFF {
			x.add("freelist of %d ids in the long form", count)
		}
	}
	free := map[uint64]bool{}
	last := uint64(1)
	for i := uint64(0); i < count; i++ {
		id := le.Uint64(page[uint64(at)+8*i:])
		if id <= last {
			x.add("freelist: id %d after %d", id, last)
		}
		if id >= x.meta.highWater {
			x.add("freelist: id %d is out of bounds (%d)", id, x.meta.highWater)
		}
		if x.seen[id] {
			x.add("freelist: page %d is in use", id)
		}
		free[id], last = true, id
	}
	for id := uint64(2); id < x.meta.highWater; id++ {
		if !x.seen[id] && !free[id] {
			x.add("page %d is neither used nor free", id)
		}
	}
	return int(count)
}
