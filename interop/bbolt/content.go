package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"strconv"

	"go.etcd.io/bbolt"
)

// bucketLike is what a bucket and a transaction's root have in common.
type bucketLike interface {
	Bucket(name []byte) *bbolt.Bucket
	Cursor() *bbolt.Cursor
}

// visitor is told a file's content in key order, depth first. Bytes are lent.
type visitor interface {
	put(path []string, key, value []byte)
	enter(path []string, name []byte, sequence uint64)
	leave()
}

// walk visits everything below at.
func walk(at bucketLike, path []string, v visitor) {
	cursor := at.Cursor()
	for key, value := cursor.First(); key != nil; key, value = cursor.Next() {
		if value != nil {
			v.put(path, key, value)
			continue
		}
		child := at.Bucket(key)
		v.enter(path, key, child.Sequence())
		walk(child, append(path[:len(path):len(path)], hex.EncodeToString(key)), v)
		v.leave()
	}
}

// digester computes the one number that stands for a whole content: the SHA-256 of
//
//	put    01 | u32 key size | key | u32 value size | value
//	enter  02 | u32 name size | name | u64 sequence
//	leave  03
//
// in the order of the walk, integers little-endian.
type digester struct {
	sum     hash.Hash
	buckets int
	keys    int
}

func newDigester() *digester {
	return &digester{sum: sha256.New()}
}

func (d *digester) bytes(data []byte) {
	var size [4]byte
	binary.LittleEndian.PutUint32(size[:], uint32(len(data)))
	d.sum.Write(size[:])
	d.sum.Write(data)
}

func (d *digester) put(_ []string, key, value []byte) {
	d.keys++
	d.sum.Write([]byte{1})
	d.bytes(key)
	d.bytes(value)
}

func (d *digester) enter(_ []string, name []byte, sequence uint64) {
	d.buckets++
	d.sum.Write([]byte{2})
	d.bytes(name)
	var field [8]byte
	binary.LittleEndian.PutUint64(field[:], sequence)
	d.sum.Write(field[:])
}

func (d *digester) leave() {
	d.sum.Write([]byte{3})
}

func (d *digester) hash() string {
	return hex.EncodeToString(d.sum.Sum(nil))
}

// dumper prints a line for each key and each bucket.
type dumper struct {
	limit int
}

// dumpLine is a key with its value, or a bucket with its sequence.
type dumpLine struct {
	Path     []string    `json:"path"`
	Key      interface{} `json:"key,omitempty"`
	Value    interface{} `json:"value,omitempty"`
	Bucket   interface{} `json:"bucket,omitempty"`
	Sequence string      `json:"sequence,omitempty"`
}

// shown is the bytes' hex, or their size and digest where they are longer than the limit.
func (d *dumper) shown(data []byte) interface{} {
	if d.limit == 0 || len(data) <= d.limit {
		return hex.EncodeToString(data)
	}
	sum := sha256.Sum256(data)
	return object{"size": len(data), "sha256": hex.EncodeToString(sum[:])}
}

func (d *dumper) shownPath(path []string) []string {
	if d.limit == 0 {
		return path
	}
	short := make([]string, len(path))
	for i, name := range path {
		short[i] = name
		if len(name) > 2*d.limit {
			data, _ := hex.DecodeString(name)
			sum := sha256.Sum256(data)
			short[i] = strconv.Itoa(len(data)) + ":" + hex.EncodeToString(sum[:])
		}
	}
	return short
}

func (d *dumper) put(path []string, key, value []byte) {
	print(dumpLine{Path: d.shownPath(path), Key: d.shown(key), Value: d.shown(value)})
}

func (d *dumper) enter(path []string, name []byte, sequence uint64) {
	print(dumpLine{Path: d.shownPath(path), Bucket: d.shown(name), Sequence: strconv.FormatUint(sequence, 10)})
}

func (d *dumper) leave() {}

func runDump(s *settings, args []string) error {
	if err := want(args, 1, 1); err != nil {
		return err
	}
	return s.reading(args[0], func(tx *bbolt.Tx) error {
		walk(tx, []string{}, &dumper{limit: s.digest})
		print(object{"result": "ok"})
		return nil
	})
}

func runHash(s *settings, args []string) error {
	if err := want(args, 1, 1); err != nil {
		return err
	}
	return s.reading(args[0], func(tx *bbolt.Tx) error {
		d := newDigester()
		walk(tx, nil, d)
		print(object{"result": "ok", "hash": d.hash(), "buckets": d.buckets, "keys": d.keys, "txid": tx.ID()})
		return nil
	})
}

func runRows(s *settings, args []string) error {
	if err := want(args, 2, 2); err != nil {
		return err
	}
	return s.reading(args[0], func(tx *bbolt.Tx) error {
		bucket := tx.Bucket([]byte(args[1]))
		if bucket == nil {
			return bbolt.ErrBucketNotFound
		}
		count := 0
		cursor := bucket.Cursor()
		for key, value := cursor.First(); key != nil; key, value = cursor.Next() {
			print(object{"key": hex.EncodeToString(key), "value": hex.EncodeToString(value)})
			count++
		}
		print(object{"result": "ok", "rows": count})
		return nil
	})
}

// contentHash is the digest of a database's newest content.
func contentHash(db *bbolt.DB) (sum string, err error) {
	err = db.View(func(tx *bbolt.Tx) error {
		d := newDigester()
		walk(tx, nil, d)
		sum = d.hash()
		return nil
	})
	return sum, err
}

// clone copies lent bytes.
func clone(data []byte) []byte {
	return append(make([]byte, 0, len(data)), data...)
}

// same compares a value found by search with the one found by walking; nil stands for a bucket.
func same(a, b []byte) bool {
	return (a == nil) == (b == nil) && bytes.Equal(a, b)
}
