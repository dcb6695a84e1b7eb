package main

import (
	"io"
	"os"
)

// As in ../dataset.ts.
const (
	keySize    = 16
	valueSize  = 100
	valueCount = 1024
)

// readKeys reads a slice of a key file into one arena; the keys lie in it in the order of their use.
func readKeys(wanted *keySlice) ([][]byte, error) {
	file, err := os.Open(wanted.File)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	arena := make([]byte, wanted.Count*keySize)
	if _, err := io.ReadFull(io.NewSectionReader(file, int64(wanted.First)*keySize, int64(len(arena))), arena); err != nil {
		return nil, err
	}
	keys := make([][]byte, wanted.Count)
	for i := range keys {
		keys[i] = arena[i*keySize : (i+1)*keySize : (i+1)*keySize]
	}
	return keys, nil
}

func makeValues() [][]byte {
	values := make([][]byte, valueCount)
	for v := range values {
		value := make([]byte, valueSize)
		for j := range value {
			value[j] = byte(v*31 + j*7)
		}
		value[0], value[1] = byte(v), byte(v>>8)
		values[v] = value
	}
	return values
}
