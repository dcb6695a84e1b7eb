package main

import (
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// mode reads the optional last argument: whether to open read-only.
func mode(args []string) (bool, error) {
	if len(args) < 3 {
		return false, nil
	}
	if args[2] != "ro" {
		return false, fmt.Errorf("%w: %q is not ro", errUsage, args[2])
	}
	return true, nil
}

// runLock holds the file open, and with it bbolt's lock, for so many seconds or until the process ends.
func runLock(s *settings, args []string) error {
	if err := want(args, 2, 3); err != nil {
		return err
	}
	seconds, err := number(args[1])
	if err != nil {
		return err
	}
	readOnly, err := mode(args)
	if err != nil {
		return err
	}
	db, err := s.open(args[0], readOnly, false)
	if err != nil {
		return err
	}
	defer db.Close()
	print(object{"locked": true, "readOnly": readOnly})
	if err := out.Flush(); err != nil {
		return err
	}
	time.Sleep(time.Duration(seconds) * time.Second)
	print(object{"result": "ok"})
	return nil
}

// runTryLock says whether bbolt gets the file open within the timeout.
func runTryLock(s *settings, args []string) error {
	if err := want(args, 2, 3); err != nil {
		return err
	}
	milliseconds, err := number(args[1])
	if err != nil {
		return err
	}
	readOnly, err := mode(args)
	if err != nil {
		return err
	}
	options, err := s.options(readOnly)
	if err != nil {
		return err
	}
	// To bbolt no timeout means to wait for ever.
	options.Timeout = time.Duration(milliseconds)*time.Millisecond + time.Nanosecond
	db, err := bbolt.Open(args[0], 0600, options)
	if errors.Is(err, bbolt.ErrTimeout) {
		print(object{"result": "timeout"})
		return nil
	}
	if err != nil {
		return err
	}
	print(object{"result": "locked"})
	return db.Close()
}
