// Command bbolt-bench is bbolt's side of the benchmarks: it reads one command a line on standard
// input, JSON, runs it once, and answers with one line: the nanoseconds it took and a checksum of
// what it read. The shape of both is in ../protocol.ts; what each operation does, in side.go.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
)

type keySlice struct {
	File  string `json:"file"`
	First int    `json:"first"`
	Count int    `json:"count"`
}

type command struct {
	Op       string    `json:"op"`
	Path     string    `json:"path"`
	Writable bool      `json:"writable"`
	Keys     *keySlice `json:"keys"`
	Batch    int       `json:"batch"`
	Steps    int       `json:"steps"`
	Times    int       `json:"times"`
	// Of the operation "commits", as in ../commit-protocol.ts.
	Callers    int `json:"callers"`
	KeyCount   int `json:"keyCount"`
	WarmUp     int `json:"warmUp"`
	SettleMs   int `json:"settleMs"`
	DurationMs int `json:"durationMs"`
}

type answer struct {
	Ns       int64   `json:"ns"`
	Checksum *uint64 `json:"checksum,omitempty"`
	Error    string  `json:"error,omitempty"`
	// Of the operation "commits".
	*latency
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == "version" {
		fmt.Println(runtime.Version())
		return
	}
	side := newSide()
	defer side.closeAll()
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 1<<16), 1<<20)
	for lines.Scan() {
		var c command
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			say(answer{Error: "command: " + err.Error()})
			continue
		}
		a, err := side.run(&c)
		if err != nil {
			a = answer{Error: c.Op + " " + c.Path + ": " + err.Error()}
		}
		say(a)
	}
}

func say(a answer) {
	line, err := json.Marshal(a)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(line))
}
