package main

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"
)

// As in ../commit-protocol.ts.
const (
	markBegin = "/revbolt-bench/begin"
	markEnd   = "/revbolt-bench/end"
)

const batchDelay = time.Millisecond

// latency says how long commits took, as in ../latency-summary.ts.
type latency struct {
	Count int     `json:"count"`
	P50Us float64 `json:"p50Us"`
	P99Us float64 `json:"p99Us"`
	MaxUs float64 `json:"maxUs"`
}

func summarize(times []float64) *latency {
	sort.Float64s(times)
	count := len(times)
	if count == 0 {
		return &latency{}
	}
	return &latency{count, times[count/2], times[count*99/100], times[count-1]}
}

// committer makes durable commits of one put each.
type committer struct {
	db     *bolt.DB
	values [][]byte
	// commit is Update for one caller; for several Batch, which puts theirs into one transaction.
	commit func(func(*bolt.Tx) error) error
}

func (c *committer) put(n int) error {
	var key [keySize]byte
	if _, err := rand.Read(key[:]); err != nil {
		return err
	}
	return c.commit(func(tx *bolt.Tx) error {
		return tx.Bucket(bucketName).Put(key[:], c.values[n&(valueCount-1)])
	})
}

// call puts until isOver and returns how long each put took, in µs.
func (c *committer) call(isOver func(done int) bool) ([]float64, error) {
	var times []float64
	for n := 0; !isOver(n); n++ {
		begun := time.Now()
		if err := c.put(n); err != nil {
			return nil, err
		}
		times = append(times, float64(time.Since(begun).Nanoseconds())/1000)
	}
	return times, nil
}

// callAtOnce has so many callers put, each one after another.
func (c *committer) callAtOnce(callers int, isOver func(done int) bool) ([]float64, error) {
	var (
		all     []float64
		failure error
		lock    sync.Mutex
		group   sync.WaitGroup
	)
	for i := 0; i < callers; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			times, err := c.call(isOver)
			lock.Lock()
			defer lock.Unlock()
			all = append(all, times...)
			if err != nil {
				failure = err
			}
		}()
	}
	group.Wait()
	return all, failure
}

func (s *side) fill(db *bolt.DB, count int) error {
	return db.Update(func(tx *bolt.Tx) error {
		bucket, err := tx.CreateBucketIfNotExists(bucketName)
		if err != nil {
			return err
		}
		for i := 0; i < count; i++ {
			key := make([]byte, keySize)
			if _, err := rand.Read(key); err != nil {
				return err
			}
			if err := bucket.Put(key, s.values[i&(valueCount-1)]); err != nil {
				return err
			}
		}
		return nil
	})
}

// commits measures durable commits for as long as the command says.
func (s *side) commits(c *command) (answer, error) {
	db, err := openFile(filepath.Join(c.Path, "file.db"), true)
	if err != nil {
		return answer{}, err
	}
	defer db.Close()
	db.MaxBatchDelay = batchDelay
	if err := s.fill(db, c.KeyCount); err != nil {
		return answer{}, err
	}
	one := &committer{db: db, values: s.values, commit: db.Batch}
	if c.Callers == 1 {
		one.commit = db.Update
	}
	each := (c.WarmUp + c.Callers - 1) / c.Callers
	if _, err := one.callAtOnce(c.Callers, func(done int) bool { return done >= each }); err != nil {
		return answer{}, err
	}
	runtime.GC()
	time.Sleep(time.Duration(c.SettleMs) * time.Millisecond)
	os.Stat(markBegin)
	start := time.Now()
	end := start.Add(time.Duration(c.DurationMs) * time.Millisecond)
	times, err := one.callAtOnce(c.Callers, func(int) bool { return !time.Now().Before(end) })
	elapsed := time.Since(start).Nanoseconds()
	os.Stat(markEnd)
	return answer{Ns: elapsed, latency: summarize(times)}, err
}
