package main

import (
	"encoding/hex"
	"math/rand"
	"strconv"

	"go.etcd.io/bbolt"
)

// place of one entry in the file.
type entryPlace struct {
	path []string
	key  string
}

// census lists a file's entries and buckets.
type census struct {
	entries []entryPlace
	buckets [][]string
}

func (c *census) put(path []string, key, _ []byte) {
	c.entries = append(c.entries, entryPlace{path, hex.EncodeToString(key)})
}

func (c *census) enter(path []string, name []byte, _ uint64) {
	c.buckets = append(c.buckets, append(path[:len(path):len(path)], hex.EncodeToString(name)))
}

func (c *census) leave() {}

// churner deletes about half of what a file holds and fills it up again, by chance out of a seed. It
// prints every operation, so that whoever asked can follow with a model.
type churner struct {
	*editor
	random   *rand.Rand
	valueMax int
}

func runChurn(s *settings, args []string) (err error) {
	if err := want(args, 2, 2); err != nil {
		return err
	}
	seed, err := strconv.ParseInt(args[1], 10, 64)
	if err != nil {
		return errUsage
	}
	db, err := s.open(args[0], false, false)
	if err != nil {
		return err
	}
	c := &churner{
		editor:   &editor{db: db, report: true},
		random:   rand.New(rand.NewSource(seed)),
		valueMax: s.maxValue,
	}
	if c.valueMax == 0 {
		c.valueMax = 4 * db.Info().PageSize
	}
	defer func() {
		if c.tx != nil {
			c.tx.Rollback()
		}
		if closing := db.Close(); err == nil {
			err = closing
		}
	}()
	for round := 0; round < s.rounds; round++ {
		if err := c.round(); err != nil {
			return err
		}
	}
	return c.finish()
}

func (c *churner) census() (*census, error) {
	found := &census{}
	err := c.db.View(func(tx *bbolt.Tx) error {
		walk(tx, nil, found)
		return nil
	})
	return found, err
}

// round is one pass over the file. Buckets go in a transaction of their own: bbolt 1.3.6 leaks the pages of
// nested buckets when their parent was changed before in the same transaction.
func (c *churner) round() error {
	if err := c.deleteBuckets(); err != nil {
		return err
	}
	before, err := c.census()
	if err != nil {
		return err
	}
	var gone []entryPlace
	var steps []operation
	for _, entry := range before.entries {
		key := entry.key
		switch c.random.Intn(8) {
		case 0, 1, 2, 3:
			gone = append(gone, entry)
			steps = append(steps, operation{Op: "delete", Path: entry.path, Key: &key})
		case 4:
			steps = append(steps, operation{Op: "put", Path: entry.path, Key: &key, Value: c.value()})
		}
	}
	c.random.Shuffle(len(steps), func(i, j int) { steps[i], steps[j] = steps[j], steps[i] })
	if err := c.transactions(steps); err != nil {
		return err
	}
	return c.refill(gone, before.buckets)
}

// deleteBuckets deletes about one bucket in six, with all that is in it.
func (c *churner) deleteBuckets() error {
	found, err := c.census()
	if err != nil {
		return err
	}
	gone := map[string]bool{}
	for _, path := range found.buckets {
		whole, inside := "", false
		for _, name := range path {
			whole += "/" + name
			inside = inside || gone[whole]
		}
		if inside || c.random.Intn(6) != 0 {
			continue
		}
		gone[whole] = true
		if err := c.transactions([]operation{{Op: "deleteBucket", Path: path}}); err != nil {
			return err
		}
	}
	return nil
}

// refill puts half of the deleted keys back, with other values, and new keys for the rest; and makes buckets
// and sets sequences.
func (c *churner) refill(gone []entryPlace, buckets [][]string) error {
	var steps []operation
	for i := c.random.Intn(4); i >= 0 || len(buckets) == 0; i-- {
		path := []string{}
		if len(buckets) > 0 && c.random.Intn(2) == 0 {
			path = buckets[c.random.Intn(len(buckets))]
		}
		// A name of its own size range, so that it never is an entry's key.
		path = append(path[:len(path):len(path)], *tohex(c.bytes(40 + c.random.Intn(20))))
		buckets = append(buckets, path)
		steps = append(steps, operation{Op: "createBucket", Path: path})
	}
	for _, entry := range gone {
		key := entry.key
		if c.random.Intn(2) == 0 {
			steps = append(steps, operation{Op: "put", Path: entry.path, Key: &key, Value: c.value()})
			continue
		}
		path := buckets[c.random.Intn(len(buckets))]
		steps = append(steps, operation{Op: "put", Path: path, Key: tohex(c.bytes(1 + c.random.Intn(30))), Value: c.value()})
	}
	for i := 0; i < 1+len(buckets)/4; i++ {
		path := buckets[c.random.Intn(len(buckets))]
		if c.random.Intn(2) == 0 {
			steps = append(steps, operation{Op: "nextSequence", Path: path})
			continue
		}
		sequence := strconv.FormatUint(c.random.Uint64(), 10)
		steps = append(steps, operation{Op: "setSequence", Path: path, Sequence: sequence})
	}
	return c.transactions(steps)
}

// transactions carries the steps out in one transaction or in some.
func (c *churner) transactions(steps []operation) error {
	for len(steps) > 0 {
		size := len(steps)
		if c.random.Intn(2) == 0 {
			size = 1 + c.random.Intn(size)
		}
		if err := c.do(operation{Op: "begin"}); err != nil {
			return err
		}
		for _, step := range steps[:size] {
			if err := c.do(step); err != nil {
				return err
			}
		}
		if err := c.do(operation{Op: "commit"}); err != nil {
			return err
		}
		steps = steps[size:]
	}
	return nil
}

func (c *churner) bytes(size int) []byte {
	data := make([]byte, size)
	c.random.Read(data)
	return data
}

// value is of any size: often small, now and then longer than a page.
func (c *churner) value() *string {
	size := 0
	switch c.random.Intn(12) {
	case 0:
		size = 0
	case 1:
		size = c.random.Intn(c.valueMax + 1)
	case 2, 3:
		size = c.random.Intn(c.valueMax/16 + 1)
	default:
		size = c.random.Intn(40)
	}
	return tohex(c.bytes(size))
}
