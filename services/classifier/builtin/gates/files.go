package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/gptmesh/gptmesh/services/classifier/builtin"
)

// sizes are the classes of files, in bytes; one fits into the first that is not smaller.
var sizes = []int64{1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10}

const leastFile = 500

// guardFiles measures the program's own guards on whole files of the folders that were
// named: the longer a harmless text, the more windows it has that could look harmful.
func guardFiles(b *bench) error {
	if b.texts == "" {
		b.lacks = append(b.lacks, "no folder of harmless files was given (-texts)")
		return nil
	}
	set, err := builtin.Load()
	if err != nil {
		return err
	}
	for folder := range strings.SplitSeq(b.texts, ",") {
		classes := make([][]string, len(sizes))
		err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() {
				return err
			}
			info, err := entry.Info()
			if err != nil || info.Size() < leastFile || info.Size() > sizes[len(sizes)-1] {
				return err
			}
			data, err := os.ReadFile(path)
			if err != nil || !utf8.Valid(data) || strings.ContainsRune(string(data), 0) {
				return err
			}
			at := 0
			for info.Size() > sizes[at] {
				at++
			}
			classes[at] = append(classes[at], string(data))
			return nil
		})
		if err != nil {
			return err
		}
		for i, texts := range classes {
			if len(texts) > 0 {
				b.alarms(set, texts, fmt.Sprintf("files of %s, to %d KB", folder, sizes[i]>>10), 0, 0)
			}
		}
	}
	return nil
}
