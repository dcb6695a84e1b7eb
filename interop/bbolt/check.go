package main

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"sort"

	"go.etcd.io/bbolt"
)

// findingsMax is after how many findings of one source the rest is only counted.
const findingsMax = 100

// findings collects and prints what is wrong with a file. A source is who found it:
//
//	open   bbolt could not open the file
//	pages  the strict look at the raw pages, in pages.go
//	walk   reading every key in both directions, and looking up every key
//	check  bbolt's own Tx.Check
type findings struct {
	counts map[string]int
	// isFatal says that a page is not what its place in the tree says, or has elements that lie outside of it.
	isFatal bool
}

func (f *findings) add(source, format string, args ...interface{}) {
	f.counts[source]++
	if f.counts[source] <= findingsMax {
		print(object{"finding": fmt.Sprintf(format, args...), "source": source})
	}
}

func (f *findings) total() int {
	total := 0
	for _, n := range f.counts {
		total += n
	}
	return total
}

// guard turns a panic of fn into a finding.
func (f *findings) guard(source string, fn func()) {
	defer func() {
		if reason := recover(); reason != nil {
			f.add(source, "panic: %v", reason)
		}
	}()
	fn()
}

func runCheck(s *settings, args []string) error {
	if err := want(args, 1, 1); err != nil {
		return err
	}
	if _, err := os.Stat(args[0]); err != nil {
		return err
	}
	f := &findings{counts: map[string]int{"open": 0, "pages": 0, "walk": 0, "check": 0}}
	summary := object{"sources": f.counts}
	f.guard("pages", func() { examinePages(args[0], f, summary) })
	if f.isFatal {
		// bbolt follows offsets without a look at them: it would read garbage for minutes.
		f.add("open", "bbolt was not asked: it does not survive such a page")
	}

	var db *bbolt.DB
	var err error
	f.guard("open", func() {
		if f.isFatal {
			return
		}
		if db, err = s.open(args[0], true, false); err != nil {
			f.add("open", "%v", err)
		}
	})
	if db != nil {
		defer db.Close()
		if err := db.View(func(tx *bbolt.Tx) error {
			examineContent(tx, f, summary)
			return nil
		}); err != nil {
			return err
		}
	}
	summary["findings"] = f.total()
	summary["result"] = "ok"
	if f.total() > 0 {
		summary["result"] = "findings"
	}
	print(summary)
	if f.total() > 0 {
		return fmt.Errorf("%d findings", f.total())
	}
	return nil
}

func examineContent(tx *bbolt.Tx, f *findings, summary object) {
	summary["txid"] = tx.ID()
	f.guard("walk", func() { f.bucket(tx, nil) })
	f.guard("walk", func() {
		d := newDigester()
		walk(tx, nil, d)
		summary["hash"], summary["buckets"], summary["keys"] = d.hash(), d.buckets, d.keys
	})
	// Check runs on a goroutine of bbolt's own, so that a panic there ends this process. It comes last, when
	// everything else has been said.
	out.Flush()
	for err := range tx.Check() {
		f.add("check", "%v", err)
	}
}

// bucket walks one bucket both ways, looks up its keys, and goes on to its children.
func (f *findings) bucket(at bucketLike, path []string) {
	var keys, values [][]byte
	cursor := at.Cursor()
	for key, value := cursor.First(); key != nil; key, value = cursor.Next() {
		if len(keys) > 0 && bytes.Compare(keys[len(keys)-1], key) >= 0 {
			f.add("walk", "%s: key %s does not follow %s", place(path), short(key), short(keys[len(keys)-1]))
		}
		keys, values = append(keys, key), append(values, value)
	}
	f.backwards(at, path, keys, values)
	for i, key := range keys {
		f.lookUp(at, path, keys, i, values[i])
		for _, probe := range neighbours(key) {
			f.seek(at, path, keys, probe)
		}
	}
	f.seek(at, path, keys, []byte{})
	for i, key := range keys {
		if values[i] != nil {
			continue
		}
		if child := at.Bucket(key); child == nil {
			f.add("walk", "%s: Bucket(%s) is nil", place(path), short(key))
		} else {
			f.bucket(child, append(path[:len(path):len(path)], short(key)))
		}
	}
}

func (f *findings) backwards(at bucketLike, path []string, keys, values [][]byte) {
	i := len(keys)
	if i == 0 {
		// Last and Prev of bbolt 1.3.6 have nothing to say about an empty bucket.
		return
	}
	cursor := at.Cursor()
	for key, value := cursor.Last(); key != nil; key, value = cursor.Prev() {
		i--
		if i < 0 {
			f.add("walk", "%s: more keys backwards than the %d forwards", place(path), len(keys))
			return
		}
		if !bytes.Equal(key, keys[i]) || !same(value, values[i]) {
			f.add("walk", "%s: key %d is %s forwards and %s backwards", place(path), i, short(keys[i]), short(key))
		}
	}
	if i != 0 {
		f.add("walk", "%s: %d of %d keys are not reached backwards", place(path), i, len(keys))
	}
}

// lookUp finds key i by Seek and by Get.
func (f *findings) lookUp(at bucketLike, path []string, keys [][]byte, i int, value []byte) {
	key, found := at.Cursor().Seek(keys[i])
	if !bytes.Equal(key, keys[i]) || !same(found, value) {
		f.add("walk", "%s: Seek(%s) finds %s", place(path), short(keys[i]), short(key))
	}
	if bucket, ok := at.(*bbolt.Bucket); ok {
		if got := bucket.Get(keys[i]); !same(got, value) {
			f.add("walk", "%s: Get(%s) differs from the walk's value", place(path), short(keys[i]))
		}
	}
}

// seek tells whether Seek finds the first key not smaller than the probe.
func (f *findings) seek(at bucketLike, path []string, keys [][]byte, probe []byte) {
	i := sort.Search(len(keys), func(i int) bool { return bytes.Compare(keys[i], probe) >= 0 })
	var expected []byte
	if i < len(keys) {
		expected = keys[i]
	}
	if found, _ := at.Cursor().Seek(probe); !bytes.Equal(found, expected) {
		f.add("walk", "%s: Seek(%s) finds %s, not %s", place(path), short(probe), short(found), short(expected))
	}
}

// neighbours are a probe just after the key and one just before it.
func neighbours(key []byte) [][]byte {
	after := append(clone(key), 0)
	last := len(key) - 1
	before := clone(key)
	if before[last] == 0 {
		return [][]byte{after, before[:last]}
	}
	before[last]--
	return [][]byte{after, append(before, 0xff)}
}

func place(path []string) string {
	text := "root"
	for _, name := range path {
		text += "/" + name
	}
	return text
}

// short is a key's hex, cut where it gets long.
func short(key []byte) string {
	if key == nil {
		return "nothing"
	}
	if len(key) > 32 {
		return fmt.Sprintf("%s…(%d bytes)", hex.EncodeToString(key[:32]), len(key))
	}
	return hex.EncodeToString(key)
}
