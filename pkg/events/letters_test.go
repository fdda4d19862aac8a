package events_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/gptmesh/gptmesh/pkg/events"
)

func TestErrorText(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ given, want string }{
		{"", ""},
		{"plain ü", "plain ü"},
		{"a\xffb\x00c", "a\uFFFDb\uFFFDc"},
		{strings.Repeat("x", 4095) + "ü", strings.Repeat("x", 4095)},
		{strings.Repeat("x", 4094) + "ü", strings.Repeat("x", 4094) + "ü"},
	} {
		if got := events.ErrorText(errors.New(test.given)); got != test.want {
			t.Errorf("of %d bytes %q… came %d bytes %q…", len(test.given), test.given[:min(len(test.given), 20)], len(got), got[:min(len(got), 20)])
		}
	}
}
