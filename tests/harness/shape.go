package harness

import (
	"testing"
)

// Shape is how the rooms are spread over processes.
type Shape string

const (
	// Up is every room in one process.
	Up Shape = "up"
	// Lean is gateway, request and response in one process, the others alone.
	Lean Shape = "lean"
	// Full is every room in a process of its own.
	Full Shape = "full"
)

// Store is where rooms keep things.
type Store string

const (
	// SQLite is the embedded store.
	SQLite Store = "sqlite"
	// PostgreSQL is a server.
	PostgreSQL Store = "postgresql"
)

// Combination is a shape on a store.
type Combination struct {
	Shape Shape
	Store Store
}

func (c Combination) String() string { return string(c.Shape) + "-" + string(c.Store) }

// Combinations are all, or with -short the two that differ most.
func Combinations() []Combination {
	if testing.Short() {
		return []Combination{{Up, SQLite}, {Full, PostgreSQL}}
	}
	var all []Combination
	for _, shape := range []Shape{Up, Lean, Full} {
		for _, store := range []Store{SQLite, PostgreSQL} {
			all = append(all, Combination{shape, store})
		}
	}
	return all
}

// Each runs body over the combinations, side by side.
func Each(t *testing.T, body func(t *testing.T, c Combination)) {
	t.Helper()
	for _, c := range Combinations() {
		t.Run(c.String(), func(t *testing.T) {
			t.Parallel()
			body(t, c)
		})
	}
}

// group is a process of a shape.
type group struct {
	name  string
	rooms []string
}

// groups are the processes of a shape, those that are called first.
func (s Shape) groups() []group {
	switch s {
	case Lean:
		return []group{
			{"session", []string{"session"}}, {"classifier", []string{"classifier"}}, {"gpt", []string{"gpt"}},
			{"edge", []string{"response", "request", "gateway"}},
		}
	case Full:
		return []group{
			{"session", []string{"session"}}, {"classifier", []string{"classifier"}}, {"gpt", []string{"gpt"}},
			{"response", []string{"response"}}, {"request", []string{"request"}}, {"gateway", []string{"gateway"}},
		}
	}
	return []group{{"up", []string{"session", "classifier", "gpt", "response", "request", "gateway"}}}
}
