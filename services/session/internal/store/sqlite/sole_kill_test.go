package sqlite_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/gptmesh/gptmesh/services/session/internal/store"
)

const childDir = "GPTMESH_SESSION_TEST_CHILD"

// TestSoleChild is the process that TestSoleSurvivesKill kills: it tells each message
// that was acknowledged.
func TestSoleChild(t *testing.T) {
	dir := os.Getenv(childDir)
	if dir == "" {
		t.Skip("is run by another test")
	}
	s := openSole(t, dir)
	s.Shrink(6, 4000, 1000, 12)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				id, name := fmt.Sprint("s", (w+i)%5), fmt.Sprintf("w%d.%d", w, i)
				if i%40 == 0 {
					id = fmt.Sprintf("own%d.%d", w, i)
				}
				if _, err := create(t.Context(), s, id); err != nil && !errors.Is(err, store.ErrExists) {
					t.Error(err)
					return
				}
				if err := add(t.Context(), s, id, []byte(name), name); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				fmt.Fprintln(os.Stderr, "acknowledged", id, name)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}

func TestSoleSurvivesKill(t *testing.T) {
	t.Parallel()
	for _, after := range []int{3, 150, 700} {
		dir := t.TempDir()
		cmd := exec.Command(os.Args[0], "-test.run=^TestSoleChild$", "-test.count=1")
		cmd.Env = append(os.Environ(), childDir+"="+dir)
		stderr, err := cmd.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		told := map[string][]string{}
		n := 0
		for lines := bufio.NewReader(stderr); ; {
			line, err := lines.ReadString('\n')
			if err != nil {
				break
			}
			if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "acknowledged" {
				told[fields[1]] = append(told[fields[1]], fields[2])
				if n++; n == after {
					_ = cmd.Process.Kill()
				}
			}
		}
		_ = cmd.Wait()
		if n < after {
			t.Fatalf("the process ended after %d messages", n)
		}
		s := openSole(t, dir)
		for id, names := range told {
			got := has(t, s, id)
			for _, name := range names {
				if !slices.Contains(got, name) {
					t.Errorf("killed after %s: session %s lacks %s", strconv.Itoa(after), id, name)
				}
			}
		}
		if n := s.db.Lost(); n > 0 {
			t.Errorf("%d rows were lost", n)
		}
		s.close(t)
	}
}
