package journal

import (
	"os"
	"path/filepath"
	"testing"
)

// A flush by the kernel's asynchronous interface and one by a waiting thread
// promise the same, errors included.
func TestFlusher(t *testing.T) {
	t.Parallel()
	asynchronous := newFlusher()
	defer asynchronous.close()
	if asynchronous.context == 0 {
		t.Log("no asynchronous flushes here: the waiting thread is tried twice")
	}
	for name, f := range map[string]*flusher{"asynchronous": asynchronous, "waiting": {}} {
		to, err := os.Create(filepath.Join(t.TempDir(), "segment"))
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if _, err := to.WriteAt([]byte("record"), 0); err != nil {
				t.Fatal(err)
			}
			if err := f.flush(to); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := to.Close(); err != nil {
			t.Fatal(err)
		}
		if err := f.flush(to); err == nil {
			t.Errorf("%s: a closed file was flushed", name)
		}
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	defer writer.Close()
	if err := asynchronous.flush(writer); err == nil {
		t.Error("a pipe was flushed")
	}
}
