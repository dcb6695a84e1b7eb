package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"go.etcd.io/bbolt"
)

// operation is one line of a script, and one line of what churn reports. A path names a bucket from the
// root down; for createBucket and deleteBucket its last name is the bucket meant.
type operation struct {
	Op       string   `json:"op"`
	Path     []string `json:"path,omitempty"`
	Key      *string  `json:"key,omitempty"`
	Value    *string  `json:"value,omitempty"`
	Sequence string   `json:"sequence,omitempty"`
	Fill     float64  `json:"fill,omitempty"`
	// Error is the text of the error that the operation must end in.
	Error string `json:"error,omitempty"`
}

// editor carries out operations on a database.
type editor struct {
	db *bbolt.DB
	tx *bbolt.Tx
	// report prints each operation that was carried out.
	report  bool
	commits int
	count   int
}

// errNoTx says that a script has an operation outside of a transaction, or a begin inside of one.
var errNoTx = errors.New("begin and commit or rollback do not pair up")

// do carries out one operation and compares the error with the expected one.
func (e *editor) do(op operation) error {
	e.count++
	err := e.perform(op)
	if errors.Is(err, errNoTx) || errors.Is(err, errUsage) {
		return fmt.Errorf("operation %d (%s): %w", e.count, op.Op, err)
	}
	if op.Error != "" {
		if err == nil || err.Error() != op.Error {
			return fmt.Errorf("operation %d (%s): error is %v, not %q", e.count, op.Op, err, op.Error)
		}
		err = nil
	}
	if err != nil {
		return fmt.Errorf("operation %d (%s): %w", e.count, op.Op, err)
	}
	if e.report {
		print(op)
	}
	return nil
}

func (e *editor) perform(op operation) (err error) {
	if op.Op == "begin" {
		if e.tx != nil {
			return errNoTx
		}
		e.tx, err = e.db.Begin(true)
		return err
	}
	if e.tx == nil {
		return errNoTx
	}
	switch op.Op {
	case "commit":
		tx := e.tx
		e.tx = nil
		e.commits++
		return tx.Commit()
	case "rollback":
		tx := e.tx
		e.tx = nil
		return tx.Rollback()
	case "createBucket", "deleteBucket":
		return e.onName(op)
	}
	return e.onBucket(op)
}

// onName creates or deletes the bucket that the path's last name means.
func (e *editor) onName(op operation) error {
	if len(op.Path) == 0 {
		return errUsage
	}
	parent, err := e.bucket(op.Path[:len(op.Path)-1])
	if err != nil {
		return err
	}
	name, err := unhex(&op.Path[len(op.Path)-1])
	if err != nil {
		return err
	}
	switch {
	case op.Op == "createBucket" && parent == nil:
		_, err = e.tx.CreateBucket(name)
	case op.Op == "createBucket":
		_, err = parent.CreateBucket(name)
	case parent == nil:
		err = e.tx.DeleteBucket(name)
	default:
		err = parent.DeleteBucket(name)
	}
	return err
}

// onBucket carries out what happens inside the bucket of the path.
func (e *editor) onBucket(op operation) error {
	bucket, err := e.bucket(op.Path)
	if err != nil {
		return err
	}
	if bucket == nil {
		return fmt.Errorf("%w: the root holds buckets only", errUsage)
	}
	switch op.Op {
	case "put":
		key, err := unhex(op.Key)
		if err != nil {
			return err
		}
		value, err := unhex(op.Value)
		if err != nil {
			return err
		}
		return bucket.Put(key, value)
	case "delete":
		key, err := unhex(op.Key)
		if err != nil {
			return err
		}
		return bucket.Delete(key)
	case "setSequence":
		sequence, err := strconv.ParseUint(op.Sequence, 10, 64)
		if err != nil {
			return fmt.Errorf("%w: sequence %q", errUsage, op.Sequence)
		}
		return bucket.SetSequence(sequence)
	case "nextSequence":
		_, err := bucket.NextSequence()
		return err
	case "fillPercent":
		bucket.FillPercent = op.Fill
		return nil
	}
	return fmt.Errorf("%w: no operation %q", errUsage, op.Op)
}

// bucket finds the bucket of a path; nil stands for the root.
func (e *editor) bucket(path []string) (*bbolt.Bucket, error) {
	var at *bbolt.Bucket
	for i := range path {
		name, err := unhex(&path[i])
		if err != nil {
			return nil, err
		}
		if at == nil {
			at = e.tx.Bucket(name)
		} else {
			at = at.Bucket(name)
		}
		if at == nil {
			return nil, bbolt.ErrBucketNotFound
		}
	}
	return at, nil
}

// unhex decodes a field that must be there. The result is never nil: to bbolt a nil value is not an empty one.
func unhex(text *string) ([]byte, error) {
	if text == nil {
		return nil, fmt.Errorf("%w: a field is missing", errUsage)
	}
	data, err := hex.DecodeString(*text)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", errUsage, err)
	}
	return data, nil
}

func tohex(data []byte) *string {
	text := hex.EncodeToString(data)
	return &text
}

// finish says what the file holds now.
func (e *editor) finish() error {
	if e.tx != nil {
		return errNoTx
	}
	sum, err := contentHash(e.db)
	if err != nil {
		return err
	}
	print(object{"result": "ok", "hash": sum, "commits": e.commits, "operations": e.count})
	return nil
}

// runApply carries out a script. The file is created if need be.
func runApply(s *settings, args []string) (err error) {
	if err := want(args, 2, 2); err != nil {
		return err
	}
	script := os.Stdin
	if args[1] != "-" {
		if script, err = os.Open(args[1]); err != nil {
			return err
		}
		defer script.Close()
	}
	db, err := s.open(args[0], false, true)
	if err != nil {
		return err
	}
	e := &editor{db: db}
	defer func() {
		// Close waits for the open transaction.
		if e.tx != nil {
			e.tx.Rollback()
		}
		if closing := db.Close(); err == nil {
			err = closing
		}
	}()
	lines := json.NewDecoder(bufio.NewReaderSize(script, 1<<16))
	lines.DisallowUnknownFields()
	for {
		var op operation
		if err := lines.Decode(&op); err == io.EOF {
			return e.finish()
		} else if err != nil {
			return fmt.Errorf("%w: after operation %d: %v", errUsage, e.count, err)
		}
		if err := e.do(op); err != nil {
			return err
		}
	}
}
