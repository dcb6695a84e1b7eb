package main

import (
	"fmt"
	"math"
	"math/rand"
	"os"
	"sort"

	"go.etcd.io/bbolt"
)

// fixture makes a file that has one feature of the format. The file is new and open when make runs; after
// runs when it is closed, and may reach for the bytes.
type fixture struct {
	about string
	make  func(m *maker) error
	after func(m *maker) error
}

var fixtures = map[string]fixture{
	"empty":           {"a new file without a commit", makeNothing, nil},
	"one-key":         {"one key in one bucket", makeOneKey, nil},
	"rich":            {"nested and inline buckets, branches, overflow, every size; for any -page-size", makeRich, nil},
	"inline-boundary": {"buckets just below, at and above the largest inline size", makeInlineBoundary, nil},
	"sequences":       {"sequences up to 2^64-1 on inline and other buckets", makeSequences, nil},
	"overflow":        {"values of up to 20 MiB, and page boundaries", makeOverflow, nil},
	"long-keys":       {"keys of 1 to 32768 bytes", makeLongKeys, nil},
	"long-names":      {"bucket names of up to 70000 bytes", makeLongNames, nil},
	"empty-values":    {"keys with empty values", makeEmptyValues, nil},
	"freelist":        {"a freelist of exactly -count ids", makeFreelist, nil},
	"no-freelist":     {"no freelist in the file (etcd's form)", makeNoFreelist, nil},
	"deep":            {"a deep tree, and buckets nested 60 deep", makeDeep, nil},
	"emptied":         {"buckets filled and emptied again", makeEmptied, nil},
	"generations":     {"a long life: -commits commits (300) that put, delete and overwrite", makeGenerations, nil},
	"full-pages":      {"leaves filled to their last byte", makeFullPages, nil},
	"sparse-pages":    {"fill percent 0.1", makeSparsePages, nil},
	"many-elements":   {"pages with as many elements as go in", makeManyElements, nil},
	"one-meta":        {"-commits commits, then meta -corrupt damaged", makeOneMeta, damageMeta},
	"copied":          {"a file as bbolt's hot copy writes it", makeRich, copyOut},
	"compacted":       {"a file as bbolt's Compact writes it", makeRich, compactOut},
	"beyond-4gib":     {"a sparse file with its data past 4 GiB", makeBeyond4GiB, nil},
}

// maker is what a fixture is made with.
type maker struct {
	*settings
	path   string
	db     *bbolt.DB
	random *rand.Rand
}

func runMake(s *settings, args []string) error {
	if len(args) == 1 && args[0] == "list" {
		var names []string
		for name := range fixtures {
			names = append(names, name)
		}
		sort.Strings(names)
		for _, name := range names {
			print(object{"kind": name, "about": fixtures[name].about})
		}
		print(object{"result": "ok"})
		return nil
	}
	if err := want(args, 2, 2); err != nil {
		return err
	}
	chosen, ok := fixtures[args[0]]
	if !ok {
		return fmt.Errorf("%w: no fixture %q; see make list", errUsage, args[0])
	}
	if _, err := os.Stat(args[1]); err == nil {
		return fmt.Errorf("%s exists", args[1])
	}
	m := &maker{settings: s, path: args[1], random: rand.New(rand.NewSource(1))}
	if args[0] == "no-freelist" {
		s.noFreelistSync = true
	}
	if err := m.reopen(); err != nil {
		return err
	}
	err := chosen.make(m)
	if closing := m.db.Close(); err == nil {
		err = closing
	}
	if err == nil && chosen.after != nil {
		err = chosen.after(m)
	}
	if err == nil {
		print(object{"result": "ok", "kind": args[0]})
	}
	return err
}

// reopen opens the file, closing it first where it is open.
func (m *maker) reopen() (err error) {
	if m.db != nil {
		if err := m.db.Close(); err != nil {
			return err
		}
	}
	m.db, err = m.settings.open(m.path, false, true)
	return err
}

// bucket runs fn on a top bucket in a transaction of its own, making the bucket if need be.
func (m *maker) bucket(name string, fn func(b *bbolt.Bucket) error) error {
	return m.db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists([]byte(name))
		if err != nil {
			return err
		}
		return fn(b)
	})
}

// fill puts keys from first up to last, each with a value of the size.
func fill(b *bbolt.Bucket, first, last, valueSize int) error {
	for i := first; i < last; i++ {
		if err := b.Put(numbered("key", i), pattern(valueSize, i)); err != nil {
			return err
		}
	}
	return nil
}

func numbered(name string, i int) []byte {
	return []byte(fmt.Sprintf("%s-%06d", name, i))
}

// patternRun is how many bytes of a pattern come before it begins again: prime, so that no two pages of a long value are
// the same.
const patternRun = 61

// pattern is size bytes that look like chance, out of a seed. All but the first two are one of eight patterns, so
// that a file of them compresses well.
func pattern(size, seed int) []byte {
	data := make([]byte, size)
	state := uint32(seed%8)*2654435761 + 12345
	for i := range data {
		if i >= patternRun {
			data[i] = data[i-patternRun]
			continue
		}
		state = state*1664525 + 1013904223
		data[i] = byte(state >> 24)
	}
	for i := 0; i < 2 && i < size; i++ {
		data[i] = byte(seed >> (8 * i))
	}
	return data
}

func (m *maker) pageBytes() int {
	return m.db.Info().PageSize
}

func makeNothing(m *maker) error { return nil }

func makeOneKey(m *maker) error {
	return m.bucket("bucket", func(b *bbolt.Bucket) error {
		return b.Put([]byte("key"), []byte("value"))
	})
}

func makeRich(m *maker) error {
	size := m.pageBytes()
	if err := m.bucket("small", func(b *bbolt.Bucket) error { return fill(b, 0, 3, 5) }); err != nil {
		return err
	}
	if err := m.bucket("empty", func(b *bbolt.Bucket) error { return b.SetSequence(7) }); err != nil {
		return err
	}
	// Branches: more leaves than go in one branch page, for the smaller page sizes.
	if err := m.bucket("wide", func(b *bbolt.Bucket) error { return fill(b, 0, 600, size/10) }); err != nil {
		return err
	}
	if err := m.bucket("wide", func(b *bbolt.Bucket) error {
		for i := 0; i < 600; i += 3 {
			if err := b.Delete(numbered("key", i)); err != nil {
				return err
			}
		}
		return b.Put(numbered("key", 301), pattern(5*size, 301))
	}); err != nil {
		return err
	}
	return m.bucket("nest", func(b *bbolt.Bucket) error {
		for i := 0; i < 12; i++ {
			child, err := b.CreateBucket(numbered("child", i))
			if err != nil {
				return err
			}
			if err := fill(child, 0, i*i, 1+size/50); err != nil {
				return err
			}
			grandchild, err := child.CreateBucket([]byte("inner"))
			if err != nil {
				return err
			}
			if err := fill(grandchild, 0, i%3, 10); err != nil {
				return err
			}
			if err := b.Put(numbered("plain", i), pattern(i*size/4, i)); err != nil {
				return err
			}
		}
		return nil
	})
}

// makeInlineBoundary makes buckets of one key "k" whose inline page has size limit-2 … limit+2, and the same
// with four keys.
func makeInlineBoundary(m *maker) error {
	limit := m.pageBytes() / 4
	return m.bucket("top", func(b *bbolt.Bucket) error {
		for d := -2; d <= 2; d++ {
			one, err := b.CreateBucket([]byte(fmt.Sprintf("one%+d", d)))
			if err != nil {
				return err
			}
			if err := one.Put([]byte("k"), pattern(limit+d-16-16-1, d+2)); err != nil {
				return err
			}
			four, err := b.CreateBucket([]byte(fmt.Sprintf("four%+d", d)))
			if err != nil {
				return err
			}
			rest := limit + d - 16 - 4*(16+1)
			for i, key := range []string{"a", "b", "c", "d"} {
				share := rest / 4
				if i == 3 {
					share = rest - 3*(rest/4)
				}
				if err := four.Put([]byte(key), pattern(share, i)); err != nil {
					return err
				}
			}
		}
		if _, err := b.CreateBucket([]byte("none")); err != nil {
			return err
		}
		// A bucket that holds nothing but a bucket is never inline, its child is.
		outer, err := b.CreateBucket([]byte("outer"))
		if err != nil {
			return err
		}
		_, err = outer.CreateBucket([]byte("inner"))
		return err
	})
}

func makeSequences(m *maker) error {
	values := []uint64{0, 1, 1<<31 - 1, 1 << 31, 1<<32 - 1, 1 << 32, 1<<53 - 1, 1 << 53, 1<<53 + 1, 1<<63 - 1, 1 << 63, math.MaxUint64 - 1, math.MaxUint64}
	for i, value := range values {
		for _, entries := range []int{0, 2, 60} {
			name := fmt.Sprintf("sequence-%02d-%03d", i, entries)
			if err := m.bucket(name, func(b *bbolt.Bucket) error {
				if err := fill(b, 0, entries, 20); err != nil {
					return err
				}
				return b.SetSequence(value)
			}); err != nil {
				return err
			}
		}
	}
	// Only the sequence of a bucket that has pages of its own changes.
	return m.bucket("sequence-05-060", func(b *bbolt.Bucket) error {
		_, err := b.NextSequence()
		return err
	})
}

func makeOverflow(m *maker) error {
	size := m.pageBytes()
	if err := m.bucket("boundaries", func(b *bbolt.Bucket) error {
		for pages := 1; pages <= 4; pages++ {
			for d := -40; d <= 2; d++ {
				if err := b.Put([]byte(fmt.Sprintf("%d%+03d", pages, d)), pattern(pages*size+d, d+40)); err != nil {
					return err
				}
			}
		}
		return nil
	}); err != nil {
		return err
	}
	return m.bucket("large", func(b *bbolt.Bucket) error {
		for i, bytes := range []int{1 << 16, 1<<16 + 1, 1 << 20, 5<<20 + 3, 20 << 20} {
			if err := b.Put(numbered("large", i), pattern(bytes, i)); err != nil {
				return err
			}
		}
		return b.Put([]byte("small"), []byte("between"))
	})
}

func makeLongKeys(m *maker) error {
	return m.bucket("keys", func(b *bbolt.Bucket) error {
		shared := pattern(bbolt.MaxKeySize, 9)
		for i := 0; i < 12; i++ {
			key := clone(shared)
			key[len(key)-1] = byte(20 * i)
			if err := b.Put(key, pattern(i*i, i)); err != nil {
				return err
			}
		}
		for size := 1; size <= bbolt.MaxKeySize; size *= 2 {
			for _, fill := range []byte{0x00, 0x01, 0x7f, 0x80, 0xff} {
				key := make([]byte, size)
				for i := range key {
					key[i] = fill
				}
				if err := b.Put(key, pattern(3, size)); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func makeLongNames(m *maker) error {
	for i, size := range []int{1, 255, 32767, 32768, 32769, 40000, 65536, 70000} {
		name := string(pattern(size, size))
		if err := m.bucket(name, func(b *bbolt.Bucket) error {
			if err := fill(b, 0, 5*i, 30); err != nil {
				return err
			}
			child, err := b.CreateBucket(pattern(size, size+1))
			if err != nil {
				return err
			}
			return child.SetSequence(uint64(size))
		}); err != nil {
			return err
		}
	}
	return nil
}

func makeEmptyValues(m *maker) error {
	if err := m.bucket("inline", func(b *bbolt.Bucket) error { return fill(b, 0, 4, 0) }); err != nil {
		return err
	}
	return m.bucket("set", func(b *bbolt.Bucket) error { return fill(b, 0, 1500, 0) })
}
