package main

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"os"

	"go.etcd.io/bbolt"
)

// makeFreelist frees one long run and many single pages, and tunes the run until the file's freelist names
// exactly -count ids. Each try takes a new file.
func makeFreelist(m *maker) error {
	run := m.count - 200
	for try := 0; try < 12; try++ {
		if err := m.db.Close(); err != nil {
			return err
		}
		if err := os.Remove(m.path); err != nil {
			return err
		}
		m.db = nil
		if err := m.reopen(); err != nil {
			return err
		}
		if err := m.freePages(run); err != nil {
			return err
		}
		r, err := readRaw(m.path)
		if err != nil {
			return err
		}
		got := r.freeCount()
		if got == m.count {
			return nil
		}
		run += m.count - got
		if run < 0 {
			return fmt.Errorf("%w: -count %d is too small", errUsage, m.count)
		}
	}
	return fmt.Errorf("no freelist of %d ids after 12 tries", m.count)
}

func (m *maker) freePages(run int) error {
	size := m.pageBytes()
	if err := m.bucket("kept", func(b *bbolt.Bucket) error { return fill(b, 0, 300, size/3) }); err != nil {
		return err
	}
	if err := m.bucket("run", func(b *bbolt.Bucket) error {
		// Less than the run's last page, so that it takes run pages whatever the key.
		return b.Put([]byte("run"), make([]byte, run*size-size/2))
	}); err != nil {
		return err
	}
	if err := m.db.Update(func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte("run")) }); err != nil {
		return err
	}
	// Single pages: every fourth leaf's keys go.
	return m.bucket("kept", func(b *bbolt.Bucket) error {
		for i := 0; i < 300; i++ {
			if i%8 < 4 {
				if err := b.Delete(numbered("key", i)); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// freeCount is how many ids the newest freelist names, or -1 where none is kept.
func (r *rawFile) freeCount() int {
	m := r.metas[0]
	if m.freelist == noFreelist {
		return -1
	}
	page := r.data[m.freelist*uint64(r.pageSize):]
	if count := le.Uint16(page[10:]); count != 0xFFFF {
		return int(count)
	}
	return int(le.Uint64(page[headerSize:]))
}

func makeNoFreelist(m *maker) error {
	if err := makeRich(m); err != nil {
		return err
	}
	// Opened again, the free pages are found by a scan, and used.
	if err := m.reopen(); err != nil {
		return err
	}
	return m.bucket("after", func(b *bbolt.Bucket) error { return fill(b, 0, 50, 100) })
}

func makeDeep(m *maker) error {
	// Long keys leave few children to a branch.
	size := m.pageBytes() / 5
	if err := m.bucket("deep", func(b *bbolt.Bucket) error {
		for i := 0; i < 1500; i++ {
			key := append(numbered("key", i), pattern(size-10, i)...)
			if err := b.Put(key, nil); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	return m.bucket("nested", func(b *bbolt.Bucket) (err error) {
		for i := 0; i < 60; i++ {
			if err := b.Put([]byte("level"), []byte{byte(i)}); err != nil {
				return err
			}
			if b, err = b.CreateBucket(numbered("level", i)); err != nil {
				return err
			}
		}
		return nil
	})
}

func makeEmptied(m *maker) error {
	for _, entries := range []int{1, 5, 400} {
		name := fmt.Sprintf("emptied-%d", entries)
		if err := m.bucket(name, func(b *bbolt.Bucket) error { return fill(b, 0, entries, 50) }); err != nil {
			return err
		}
		if err := m.bucket(name, func(b *bbolt.Bucket) error {
			for i := 0; i < entries; i++ {
				if err := b.Delete(numbered("key", i)); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return err
		}
	}
	if err := m.bucket("gone", func(b *bbolt.Bucket) error { return fill(b, 0, 400, 50) }); err != nil {
		return err
	}
	return m.db.Update(func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte("gone")) })
}

func makeGenerations(m *maker) error {
	commits := m.commits
	if commits == 0 {
		commits = 300
	}
	for i := 0; i < commits; i++ {
		if i%37 == 36 {
			if err := m.reopen(); err != nil {
				return err
			}
		}
		// A reader that stays open over some commits holds their pages back.
		var reader *bbolt.Tx
		if i%11 == 5 {
			var err error
			if reader, err = m.heldReader(); err != nil {
				return err
			}
		}
		err := m.bucket(fmt.Sprintf("bucket-%d", i%5), func(b *bbolt.Bucket) error { return m.step(b) })
		if reader != nil {
			if closing := reader.Rollback(); err == nil {
				err = closing
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// heldReader opens a read transaction, after mapping so much that no writer must wait for it to remap.
func (m *maker) heldReader() (*bbolt.Tx, error) {
	if err := m.db.Close(); err != nil {
		return nil, err
	}
	options, err := m.settings.options(false)
	if err != nil {
		return nil, err
	}
	options.InitialMmapSize = 64 << 20
	if m.db, err = bbolt.Open(m.path, 0600, options); err != nil {
		return nil, err
	}
	return m.db.Begin(false)
}

// step is one commit of a long life.
func (m *maker) step(b *bbolt.Bucket) error {
	for i := 0; i < 40; i++ {
		key := numbered("key", m.random.Intn(200))
		if m.random.Intn(3) == 0 {
			if err := b.Delete(key); err != nil {
				return err
			}
			continue
		}
		size := m.random.Intn(60)
		if m.random.Intn(25) == 0 {
			size = m.random.Intn(3 * m.pageBytes())
		}
		if err := b.Put(key, pattern(size, m.random.Int())); err != nil {
			return err
		}
	}
	_, err := b.NextSequence()
	return err
}

// makeFullPages makes leaves of four elements that come to one page exactly, less one byte, and more one.
func makeFullPages(m *maker) error {
	size := m.pageBytes()
	for d := -9; d <= 1; d++ {
		if err := m.bucket(fmt.Sprintf("full%+d", d), func(b *bbolt.Bucket) error {
			rest := size + d - 16 - 4*(16+2)
			for i := 0; i < 4; i++ {
				share := rest / 4
				if i == 3 {
					share = rest - 3*(rest/4)
				}
				if err := b.Put([]byte{'k', byte('0' + i)}, pattern(share, i)); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return m.bucket("packed", func(b *bbolt.Bucket) error {
		b.FillPercent = 1
		return fill(b, 0, 400, 64-16-10)
	})
}

func makeSparsePages(m *maker) error {
	return m.bucket("sparse", func(b *bbolt.Bucket) error {
		b.FillPercent = 0.1
		return fill(b, 0, 1000, 20)
	})
}

func makeManyElements(m *maker) error {
	return m.bucket("many", func(b *bbolt.Bucket) error {
		b.FillPercent = 1
		for i := 0; i < 1<<15; i++ {
			if err := b.Put([]byte{byte(i >> 8), byte(i)}, nil); err != nil {
				return err
			}
		}
		return nil
	})
}

func makeOneMeta(m *maker) error {
	for i := 0; i < m.commits; i++ {
		if err := m.bucket("bucket", func(b *bbolt.Bucket) error { return fill(b, 40*i, 40*i+50, 40) }); err != nil {
			return err
		}
	}
	return nil
}

// damageMeta flips a byte of one meta's txid.
func damageMeta(m *maker) error {
	if m.corrupt != 0 && m.corrupt != 1 {
		return fmt.Errorf("%w: -corrupt is 0 or 1", errUsage)
	}
	r, err := readRaw(m.path)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(m.path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	at := m.corrupt*r.pageSize + headerSize + 48
	_, err = file.WriteAt([]byte{^r.data[at]}, int64(at))
	return err
}

// copyOut replaces the file by a hot copy of it.
func copyOut(m *maker) error {
	return m.replace(func(target string) error {
		return m.reading(m.path, func(tx *bbolt.Tx) error { return tx.CopyFile(target, 0600) })
	})
}

// compactOut replaces the file by a compacted copy of it.
func compactOut(m *maker) error {
	return m.replace(func(target string) error {
		source, err := m.settings.open(m.path, true, false)
		if err != nil {
			return err
		}
		defer source.Close()
		goal, err := m.settings.open(target, false, true)
		if err != nil {
			return err
		}
		defer goal.Close()
		return bbolt.Compact(goal, source, 1<<16)
	})
}

func (m *maker) replace(write func(target string) error) error {
	target := m.path + ".new"
	if err := write(target); err != nil {
		return err
	}
	return os.Rename(target, m.path)
}

// makeBeyond4GiB moves the high-water mark of an empty file past 4 GiB, so that bbolt allocates there, then
// has the file written without a freelist, so that the pages below become free. The file is sparse.
func makeBeyond4GiB(m *maker) error {
	size := uint64(m.pageBytes())
	if err := m.bucket("low", func(b *bbolt.Bucket) error { return fill(b, 0, 20, 100) }); err != nil {
		return err
	}
	if err := m.db.Close(); err != nil {
		return err
	}
	if err := raiseHighWater(m.path, (4<<30)/size+100); err != nil {
		return err
	}
	m.db = nil
	if err := m.reopen(); err != nil {
		return err
	}
	if err := m.bucket("high", func(b *bbolt.Bucket) error { return fill(b, 0, 500, int(size)/5) }); err != nil {
		return err
	}
	m.settings.noFreelistSync = true
	if err := m.reopen(); err != nil {
		return err
	}
	if err := m.bucket("low", func(b *bbolt.Bucket) error { return b.Put([]byte("last"), []byte("one")) }); err != nil {
		return err
	}
	// Opened with a freelist again, all the pages below are listed as free.
	m.settings.noFreelistSync = false
	return m.reopen()
}

func raiseHighWater(path string, highWater uint64) error {
	r, err := readRaw(path)
	if err != nil {
		return err
	}
	newest := r.metas[0]
	at := newest.slot*r.pageSize + headerSize
	meta := clone(r.data[at : at+64])
	binary.LittleEndian.PutUint64(meta[40:], highWater)
	sum := fnv.New64a()
	sum.Write(meta[:56])
	binary.LittleEndian.PutUint64(meta[56:], sum.Sum64())
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := file.Truncate(int64(highWater) * int64(r.pageSize)); err != nil {
		return err
	}
	_, err = file.WriteAt(meta, int64(at))
	return err
}
