package telemetry

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// sink is a writer that counts its calls.
type sink struct {
	mu     sync.Mutex
	writes int
	text   bytes.Buffer
}

func (s *sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	return s.text.Write(p)
}

func (s *sink) seen() (writes, lines int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writes, strings.Count(s.text.String(), "\n")
}

func expect(t *testing.T, s *sink, writes, lines int) {
	t.Helper()
	if w, l := s.seen(); w != writes || l != lines {
		t.Errorf("%d lines in %d writes, want %d in %d", l, w, lines, writes)
	}
}

func TestLinesGather(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s sink
		log, err := OpenLog(LogConfig{Level: "info", Format: "json", Delay: 10 * time.Millisecond}, &s)
		if err != nil {
			t.Fatal(err)
		}
		log.Debug("not of this level")
		log.Info("one")
		log.Info("two")
		expect(t, &s, 0, 0)
		time.Sleep(10 * time.Millisecond)
		synctest.Wait()
		expect(t, &s, 1, 2)

		log.Info("three")
		log.With("room", "gpt").WithGroup("group").Warn("four", "a", 1)
		expect(t, &s, 2, 4)

		log.Info("five")
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
		expect(t, &s, 3, 5)
		log.Info("six")
		expect(t, &s, 4, 6)
	})
}

func TestLinesHaveABound(t *testing.T) {
	t.Parallel()
	var s sink
	log, err := OpenLog(LogConfig{Level: "info", Format: "text", Delay: time.Minute}, &s)
	if err != nil {
		t.Fatal(err)
	}
	var writers sync.WaitGroup
	for range 8 {
		writers.Go(func() {
			for range 100 {
				log.Info(strings.Repeat("x", 500))
			}
		})
	}
	writers.Wait()
	if writes, _ := s.seen(); writes < 400*1000/fullLines/2 {
		t.Errorf("%d writes of 400 KB", writes)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	if _, lines := s.seen(); lines != 800 {
		t.Errorf("%d lines, want 800", lines)
	}
}

func TestLogConfigIsChecked(t *testing.T) {
	t.Parallel()
	for _, config := range []LogConfig{
		{Level: "loud", Format: "json"}, {Level: "info", Format: "xml"}, {Level: "info", Format: "json", Delay: -1},
		{Level: "info", Format: "json", Delay: time.Hour},
	} {
		if _, err := OpenLog(config, &sink{}); err == nil {
			t.Errorf("%+v was taken", config)
		}
	}
}
