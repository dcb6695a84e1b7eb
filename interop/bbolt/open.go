package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"

	"go.etcd.io/bbolt"
)

// settings are the flags, one set for all subcommands.
type settings struct {
	pageSize       int
	freelist       string
	noFreelistSync bool
	sync           bool
	count          int
	rounds         int
	maxValue       int
	digest         int
	corrupt        int
	commits        int
}

func newSettings(name string) (*settings, *flag.FlagSet) {
	s := &settings{}
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.IntVar(&s.pageSize, "page-size", 0, "page size in bytes for a new file, or where meta 0 is damaged (0: the system's)")
	flags.StringVar(&s.freelist, "freelist", "array", "array or hashmap")
	flags.BoolVar(&s.noFreelistSync, "no-freelist-sync", false, "don't write the freelist to the file")
	flags.BoolVar(&s.sync, "sync", false, "sync at every commit (tests read through the page cache and need none)")
	flags.IntVar(&s.count, "count", 0, "make freelist: how many free ids")
	flags.IntVar(&s.rounds, "rounds", 1, "churn: how often to delete half and refill")
	flags.IntVar(&s.maxValue, "max-value", 0, "churn: size of the largest value in bytes (0: four pages)")
	flags.IntVar(&s.digest, "digest", 0, "dump: print size and SHA-256 in place of keys and values beyond this many bytes (0: never)")
	flags.IntVar(&s.corrupt, "corrupt", 0, "make one-meta: which meta page to damage, 0 or 1")
	flags.IntVar(&s.commits, "commits", 0, "make: how many more commits to make (one-meta, generations)")
	return s, flags
}

func (s *settings) options(readOnly bool) (*bbolt.Options, error) {
	kind := bbolt.FreelistType(s.freelist)
	if kind != bbolt.FreelistArrayType && kind != bbolt.FreelistMapType {
		return nil, fmt.Errorf("%w: -freelist is array or hashmap, not %q", errUsage, s.freelist)
	}
	return &bbolt.Options{
		Timeout:        10 * time.Second,
		ReadOnly:       readOnly,
		PageSize:       s.pageSize,
		FreelistType:   kind,
		NoFreelistSync: s.noFreelistSync,
		NoSync:         !s.sync,
	}, nil
}

// open opens an existing file, or creates one if create is set.
func (s *settings) open(path string, readOnly, create bool) (*bbolt.DB, error) {
	if !create {
		// bbolt creates what is missing, even when it only reads.
		if _, err := os.Stat(path); err != nil {
			return nil, err
		}
	}
	options, err := s.options(readOnly)
	if err != nil {
		return nil, err
	}
	return bbolt.Open(path, 0600, options)
}

// reading runs fn in a read transaction of the file.
func (s *settings) reading(path string, fn func(tx *bbolt.Tx) error) error {
	db, err := s.open(path, true, false)
	if err != nil {
		return err
	}
	defer db.Close()
	return db.View(fn)
}

func runVersion(_ *settings, args []string) error {
	if err := want(args, 0, 0); err != nil {
		return err
	}
	print(object{"result": "ok", "go": runtime.Version(), "osPageSize": os.Getpagesize()})
	return nil
}

// want tells whether there are between min and max arguments.
func want(args []string, min, max int) error {
	if len(args) < min || len(args) > max {
		return fmt.Errorf("%w: %d arguments", errUsage, len(args))
	}
	return nil
}

// number reads a count that may not be negative.
func number(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%w: %q is not a count", errUsage, text)
	}
	return n, nil
}
