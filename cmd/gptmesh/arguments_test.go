package main

import (
	"slices"
	"testing"
)

func TestHelpBeforeACommand(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ given, want []string }{
		{nil, nil},
		{[]string{"help"}, []string{"--help"}},
		{[]string{"help", "events", "tail"}, []string{"events", "tail", "--help"}},
		{[]string{"chat", "help"}, []string{"chat", "help"}},
	} {
		if got := arguments(c.given); !slices.Equal(got, c.want) {
			t.Errorf("%q: %q", c.given, got)
		}
	}
}
