package journal

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// A flush by the kernel's asynchronous interface and one that waits promise the
// same, errors included.
func TestFlusher(t *testing.T) {
	t.Parallel()
	f := newFlusher()
	defer f.close()
	waiting := flush
	asynchronous := func(to file) error {
		if !f.submit(to) {
			return flush(to)
		}
		for {
			f.wait()
			if landed, err := f.landed(); landed {
				return err
			}
		}
	}
	if !f.asynchronous() {
		t.Log("no asynchronous flushes here: the waiting one is tried twice")
	}
	for name, flush := range map[string]func(file) error{"asynchronous": asynchronous, "waiting": waiting} {
		to, err := os.Create(filepath.Join(t.TempDir(), "segment"))
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			f.ring() // wakes, and says nothing of a flush
			if _, err := to.WriteAt([]byte("record"), 0); err != nil {
				t.Fatal(err)
			}
			if err := flush(to); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if landed, _ := f.landed(); landed {
			t.Errorf("%s: a flush has landed twice", name)
		}
		if err := to.Close(); err != nil {
			t.Fatal(err)
		}
		if err := flush(to); err == nil {
			t.Errorf("%s: a closed file was flushed", name)
		}
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	defer writer.Close()
	if err := asynchronous(writer); err == nil {
		t.Error("a pipe was flushed")
	}
}

// A kernel that offers asynchronous flushes and does not do them, as one that
// offers none, is the same to who writes.
func TestWithoutAsynchronousFlushes(t *testing.T) {
	t.Parallel()
	for name, without := range map[string]func(*flusher){
		"not offered": func(f *flusher) {
			f.close()
			f.bell, f.context, f.rings = nil, 0, make(chan struct{}, 1)
		},
		"not done": func(f *flusher) { f.broken.Store(true) },
	} {
		dir := t.TempDir()
		j, err := open(Config{Dir: dir}, without)
		if err != nil {
			t.Fatal(err)
		}
		j.Attach("a", 0)
		var writers sync.WaitGroup
		for range 8 {
			writers.Go(func() {
				for range 20 {
					_, flight := j.Append("a", 0, text("record"))
					if err := flight.Wait(context.Background()); err != nil {
						t.Errorf("%s: %v", name, err)
					}
				}
			})
		}
		writers.Wait()
		if stats := j.Stats(); stats.Records != 160 {
			t.Errorf("%s: %d records, want 160", name, stats.Records)
		}
		if err := j.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
