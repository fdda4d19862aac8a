package page

import (
	"testing"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
)

func TestTokensBelongToTheirFilter(t *testing.T) {
	t.Parallel()
	token := Token("user=a", "42")
	if cursor, err := Cursor("user=a", token); err != nil || cursor != "42" {
		t.Errorf("Cursor = %q, %v", cursor, err)
	}
	if cursor, err := Cursor("user=a", ""); err != nil || cursor != "" {
		t.Errorf("Cursor of no token = %q, %v", cursor, err)
	}
	for _, bad := range []string{token + "!", "x", Token("user=b", "42")} {
		if _, err := Cursor("user=a", bad); !fault.Is(err, meshv1.ErrorReason_ERROR_REASON_INVALID_PAGE_TOKEN) {
			t.Errorf("Cursor(%q) = %v, want INVALID_PAGE_TOKEN", bad, err)
		}
	}
}

func TestSize(t *testing.T) {
	t.Parallel()
	for asked, want := range map[int32]int{0: 50, -1: 50, 7: 7, 5000: 1000} {
		if got := Size(asked, 50, 1000); got != want {
			t.Errorf("Size(%d) = %d, want %d", asked, got, want)
		}
	}
}

// Tokens come from clients: none breaks the reader, and only what was made for a
// filter is taken for it.
func FuzzCursor(f *testing.F) {
	f.Add("a", Token("a", "cursor"))
	f.Add("a", Token("b", "cursor"))
	f.Add("", "")
	f.Add("a", "AAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, filter, token string) {
		cursor, err := Cursor(filter, token)
		if err != nil {
			if cursor != "" || !fault.Is(err, meshv1.ErrorReason_ERROR_REASON_INVALID_PAGE_TOKEN) {
				t.Errorf("%q, %v", cursor, err)
			}
			return
		}
		if again, err := Cursor(filter, Token(filter, cursor)); err != nil || again != cursor {
			t.Errorf("%q came back as %q, %v", cursor, again, err)
		}
	})
}
