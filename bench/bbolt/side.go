package main

import (
	"fmt"
	"runtime"
	"time"

	bolt "go.etcd.io/bbolt"
)

var bucketName = []byte("bench")

// side holds the files that stay open between commands, and the keys read last.
type side struct {
	open   map[string]*bolt.DB
	keysOf keySlice
	keys   [][]byte
	values [][]byte
}

func newSide() *side {
	return &side{open: map[string]*bolt.DB{}, values: makeValues()}
}

func (s *side) closeAll() error {
	for path, db := range s.open {
		if err := db.Close(); err != nil {
			return err
		}
		delete(s.open, path)
	}
	return nil
}

// openFile opens as etcd does: with the freelist kept as a hash map, the faster of the two.
func openFile(path string, writable bool) (*bolt.DB, error) {
	return bolt.Open(path, 0o600, &bolt.Options{
		ReadOnly:     !writable,
		Timeout:      time.Second,
		FreelistType: bolt.FreelistMapType,
	})
}

func (s *side) run(c *command) (answer, error) {
	if c.Op == "close" {
		return answer{}, s.closeAll()
	}
	if c.Keys != nil && (s.keys == nil || *c.Keys != s.keysOf) {
		keys, err := readKeys(c.Keys)
		if err != nil {
			return answer{}, err
		}
		s.keys, s.keysOf = keys, *c.Keys
	}
	runtime.GC()
	switch c.Op {
	case "load":
		return s.load(c)
	case "open":
		return s.openTimes(c)
	case "commits":
		return s.commits(c)
	}
	db, err := s.reader(c.Path)
	if err != nil {
		return answer{}, err
	}
	switch c.Op {
	case "read-lent":
		return timed(func() (uint64, error) { return readAll(db, s.keys) })
	case "scan":
		return timed(func() (uint64, error) { return scanTimes(db, c.Times) })
	case "seek":
		return timed(func() (uint64, error) { return seekAll(db, s.keys, c.Steps) })
	}
	return answer{}, fmt.Errorf("bbolt has no operation %q", c.Op)
}

func timed(work func() (uint64, error)) (answer, error) {
	start := time.Now()
	sum, err := work()
	return answer{Ns: time.Since(start).Nanoseconds(), Checksum: &sum}, err
}

func (s *side) reader(path string) (*bolt.DB, error) {
	if db := s.open[path]; db != nil {
		return db, nil
	}
	db, err := openFile(path, false)
	if err == nil {
		s.open[path] = db
	}
	return db, err
}

// load puts the keys in durable transactions of c.Batch each; only that is timed. The checksum is
// that of a scan of the whole file afterwards.
func (s *side) load(c *command) (answer, error) {
	db, err := openFile(c.Path, c.Writable)
	if err != nil {
		return answer{}, err
	}
	defer db.Close()
	start := time.Now()
	for at := 0; at < len(s.keys); at += c.Batch {
		end := at + c.Batch
		if end > len(s.keys) {
			end = len(s.keys)
		}
		if err := db.Update(func(tx *bolt.Tx) error { return s.putRange(tx, at, end) }); err != nil {
			return answer{}, err
		}
	}
	elapsed := time.Since(start).Nanoseconds()
	sum, err := scan(db)
	return answer{Ns: elapsed, Checksum: &sum}, err
}

func (s *side) putRange(tx *bolt.Tx, at, end int) error {
	bucket, err := tx.CreateBucketIfNotExists(bucketName)
	if err != nil {
		return err
	}
	for i := at; i < end; i++ {
		if err := bucket.Put(s.keys[i], s.values[i&(valueCount-1)]); err != nil {
			return err
		}
	}
	return nil
}

func (s *side) openTimes(c *command) (answer, error) {
	return timed(func() (uint64, error) {
		var sum uint64
		for i := 0; i < c.Times; i++ {
			db, err := openFile(c.Path, c.Writable)
			if err != nil {
				return 0, err
			}
			one, err := readAll(db, s.keys)
			if err != nil {
				return 0, err
			}
			sum += one
			if err := db.Close(); err != nil {
				return 0, err
			}
		}
		return sum, nil
	})
}

func readAll(db *bolt.DB, keys [][]byte) (uint64, error) {
	var sum uint64
	err := db.View(func(tx *bolt.Tx) error {
		bucket := tx.Bucket(bucketName)
		for _, key := range keys {
			value := bucket.Get(key)
			if value == nil {
				return fmt.Errorf("key %x is missing", key)
			}
			sum += uint64(value[0]) + uint64(len(value))
		}
		return nil
	})
	return sum, err
}

func scanTimes(db *bolt.DB, times int) (uint64, error) {
	var sum uint64
	for i := 0; i < times; i++ {
		one, err := scan(db)
		if err != nil {
			return 0, err
		}
		sum += one
	}
	return sum, nil
}

func scan(db *bolt.DB) (uint64, error) {
	var sum uint64
	err := db.View(func(tx *bolt.Tx) error {
		cursor := tx.Bucket(bucketName).Cursor()
		for key, value := cursor.First(); key != nil; key, value = cursor.Next() {
			sum += touch(key, value)
		}
		return nil
	})
	return sum, err
}

func seekAll(db *bolt.DB, keys [][]byte, steps int) (uint64, error) {
	var sum uint64
	err := db.View(func(tx *bolt.Tx) error {
		cursor := tx.Bucket(bucketName).Cursor()
		for _, target := range keys {
			key, value := cursor.Seek(target)
			for left := steps; key != nil; key, value = cursor.Next() {
				sum += touch(key, value)
				if left == 0 {
					break
				}
				left--
			}
		}
		return nil
	})
	return sum, err
}

func touch(key, value []byte) uint64 {
	return uint64(key[0]) + uint64(len(key)) + uint64(value[0]) + uint64(len(value))
}
