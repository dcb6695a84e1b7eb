// Command bbolt-interop lets a test written in another language put questions to bbolt itself: is this
// file sound, what is in it, change it so, make one with this feature, hold its lock.
//
// It speaks JSON, one value a line, on standard output. Keys, values and bucket names are lower-case
// hex, sequences are decimal strings (they may exceed 2^53). The last line of every command that came
// to its end is {"result": ...}; a missing last line means that the command did not.
//
// Exit status: 0 fine; 1 findings, or an operation that failed; 2 wrong usage, or a panic in a goroutine
// of bbolt's own, whose stack is then on standard error.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"sort"
	"strings"
)

// errUsage marks a command line that can't be understood.
var errUsage = errors.New("wrong usage")

// command is one subcommand: args are what follows its name and flags.
type command struct {
	usage string
	run   func(s *settings, args []string) error
}

var commands = map[string]command{
	"version": {"", runVersion},
	"check":   {"FILE", runCheck},
	"dump":    {"FILE", runDump},
	"hash":    {"FILE", runHash},
	"rows":    {"FILE BUCKET", runRows},
	"apply":   {"FILE SCRIPT|-", runApply},
	"churn":   {"FILE SEED", runChurn},
	"make":    {"KIND FILE | list", runMake},
	"lock":    {"FILE SECONDS [ro]", runLock},
	"trylock": {"FILE TIMEOUT_MS [ro]", runTryLock},
}

// out is standard output. print writes to it; main flushes it.
var out = bufio.NewWriterSize(os.Stdout, 1<<16)

// print writes one line of JSON.
func print(value interface{}) {
	line, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	out.Write(line)
	out.WriteByte('\n')
}

// object is a line whose fields are known where it is printed.
type object map[string]interface{}

func main() {
	// A file shorter than its high-water mark faults when bbolt reads it through its mapping.
	debug.SetPanicOnFault(true)
	status := 0
	if err := run(os.Args[1:]); err != nil {
		print(object{"error": err.Error()})
		fmt.Fprintln(os.Stderr, "bbolt-interop:", err)
		status = 1
		if errors.Is(err, errUsage) {
			status = 2
		}
	}
	if err := out.Flush(); err != nil {
		status = 1
	}
	os.Exit(status)
}

// run finds and runs the subcommand. A panic on this goroutine becomes an error.
func run(args []string) (err error) {
	if len(args) == 0 {
		return usage()
	}
	chosen, ok := commands[args[0]]
	if !ok {
		return usage()
	}
	s, flags := newSettings(args[0])
	if err := flags.Parse(args[1:]); err != nil {
		return fmt.Errorf("%w: %v", errUsage, err)
	}
	defer func() {
		if reason := recover(); reason != nil {
			os.Stderr.Write(debug.Stack())
			err = fmt.Errorf("panic: %v", reason)
		}
	}()
	err = chosen.run(s, flags.Args())
	if errors.Is(err, flag.ErrHelp) {
		err = usage()
	}
	return err
}

func usage() error {
	var lines []string
	for name, c := range commands {
		lines = append(lines, fmt.Sprintf("  bbolt-interop %s [flags] %s", name, c.usage))
	}
	sort.Strings(lines)
	return fmt.Errorf("%w\n%s", errUsage, strings.Join(lines, "\n"))
}
