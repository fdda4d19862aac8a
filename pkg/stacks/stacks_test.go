package stacks_test

import (
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/gptmesh/gptmesh/pkg/stacks"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// deep needs so many kilobytes of stack.
func deep(kilobytes int) byte {
	var room [1 << 10]byte
	if kilobytes > 0 {
		room[kilobytes%len(room)] = deep(kilobytes - 1)
	}
	return room[kilobytes%len(room)] + 1
}

// Work has run when Do returns, also where it asks for a stack itself and where many do.
func TestDo(t *testing.T) {
	t.Parallel()
	var pool stacks.Pool
	defer pool.Close()
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			sum := 0
			for range 100 {
				pool.Do(stacks.Func(func() {
					runtime.Gosched()
					pool.Do(stacks.Func(func() { sum += int(deep(20)) }))
				}))
			}
			if sum != 2100 {
				t.Errorf("%d", sum)
			}
		})
	}
	all.Wait()
}

// What waits within work waits for its caller, and others run meanwhile.
func TestWorkThatWaits(t *testing.T) {
	t.Parallel()
	var pool stacks.Pool
	defer pool.Close()
	open, done := make(chan struct{}), make(chan struct{})
	go pool.Do(stacks.Func(func() { <-open; close(done) }))
	ran := false
	pool.Do(stacks.Func(func() { ran = true; close(open) }))
	if <-done; !ran {
		t.Error("not run")
	}
}

// A panic is the caller's, and the pool goes on.
func TestPanic(t *testing.T) {
	t.Parallel()
	var pool stacks.Pool
	defer pool.Close()
	wrong := errors.New("wrong")
	func() {
		defer func() {
			if p := recover(); p != wrong {
				t.Errorf("%v", p)
			}
		}()
		pool.Do(stacks.Func(func() { panic(wrong) }))
	}()
	ran := false
	pool.Do(stacks.Func(func() { ran = true }))
	if !ran {
		t.Error("not run")
	}
}

// Nil lends no stack, and a pool that was closed none that lasts.
func TestWithoutStacks(t *testing.T) {
	t.Parallel()
	var none *stacks.Pool
	own := ""
	none.Do(stacks.Func(func() {
		stack := make([]byte, 64<<10)
		own = string(stack[:runtime.Stack(stack, false)])
	}))
	if !strings.Contains(own, "TestWithoutStacks(") {
		t.Errorf("ran elsewhere: %s", own)
	}
	none.Close()
	var closed stacks.Pool
	closed.Do(stacks.Func(func() {}))
	closed.Close()
	ran := false
	closed.Do(stacks.Func(func() { ran = true }))
	if !ran {
		t.Error("not run")
	}
}
