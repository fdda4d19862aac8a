package chaos

import (
	"bufio"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/gptmesh/gptmesh/tests/harness"
)

// use is what a process holds.
type use struct{ goroutines, files, megabytes float64 }

func (u use) String() string {
	return fmt.Sprintf("%.0f goroutines, %.0f files, %.0f MB", u.goroutines, u.files, u.megabytes)
}

// more says that a process holds clearly more than it did: beyond the pooled
// connections of the database and what a heap keeps.
func (u use) more(was use) bool {
	return u.goroutines > was.goroutines+40 || u.files > was.files+30 || u.megabytes > 2*was.megabytes+100
}

// useOf reads what a process says of itself.
func useOf(p *harness.Process) (use, error) {
	var u use
	resp, err := http.Get("http://" + p.Admin + "/metrics")
	if err != nil {
		return u, err
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			continue
		}
		switch name {
		case "go_goroutines":
			u.goroutines = n
		case "process_open_fds":
			u.files = n
		case "process_resident_memory_bytes":
			u.megabytes = n / (1 << 20)
		}
	}
	return u, nil
}
