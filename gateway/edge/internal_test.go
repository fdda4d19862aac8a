package edge

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func FuzzParseSeconds(f *testing.F) {
	for _, s := range []string{"", "1", "0.001", "1e9", "-1", "NaN", "Inf", "99999999999999999999999999999999", "1.", ".5", "."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, ok := parseSeconds(s, time.Hour)
		if ok && (d < time.Millisecond || d > time.Hour) || !ok && d != 0 {
			t.Fatalf("%q: %v %v", s, d, ok)
		}
	})
}

func FuzzOriginAndHost(f *testing.F) {
	for _, s := range []string{"http://localhost:1", "https://[::1]", "null", "http://", "app://x", "localhost:80", "[::1", "a.local"} {
		f.Add(s)
	}
	g := newGuard(DefaultConfig(), true)
	f.Fuzz(func(t *testing.T, s string) {
		g.hostAllowed(s)
		if !g.originAllowed(s, "127.0.0.1:1") {
			return
		}
		// What is allowed must be a local page for a browser too.
		u, err := url.Parse(strings.ToLower(s))
		if err != nil || u.Scheme != "http" && u.Scheme != "https" {
			return
		}
		switch u.Hostname() {
		case "localhost", "127.0.0.1", "0.0.0.0", "::1":
		default:
			t.Fatalf("%q is allowed, host %q", s, u.Hostname())
		}
	})
}

func FuzzTakeKey(f *testing.F) {
	for _, s := range []string{"/k/", "/k/a", "/k/a/b", "/v1", "", "/k//x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		rest, key := takeKey(path)
		if strings.HasPrefix(path, "/") && !strings.HasPrefix(rest, "/") || strings.Contains(key, "/") {
			t.Fatalf("%q: %q %q", path, rest, key)
		}
	})
}

func TestRouterRefusesWhatItCannotServe(t *testing.T) {
	t.Parallel()
	fine := func(*Exchange) {}
	words := func(error) (int, []byte) { return 500, nil }
	for name, faces := range map[string][]Face{
		"no face for /": {{Name: "a", Prefixes: []string{"/x"}, Error: words}},
		"no words":      {{Name: "a", Prefixes: []string{"/"}}},
		"no handler":    {{Name: "a", Prefixes: []string{"/"}, Error: words, Routes: []Route{{Method: http.MethodGet, Pattern: "/a"}}}},
		"twice": {{Name: "a", Prefixes: []string{"/"}, Error: words, Routes: []Route{
			{Method: http.MethodGet, Pattern: "/a", Handle: fine}, {Method: http.MethodGet, Pattern: "/a", Handle: fine}}}},
		"two braces": {{Name: "a", Prefixes: []string{"/"}, Error: words, Routes: []Route{{Method: http.MethodGet, Pattern: "/{a}/{b}", Handle: fine}}}},
	} {
		if _, err := newRouter(faces); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestMaxConnections: connections of clients take half of the files at most, and what
// is configured goes first.
func TestMaxConnections(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ configured, files, want int }{
		{0, 0, 0}, {0, 1024, 448}, {0, 1 << 20, 524_224}, {0, 100, 16}, {7, 1024, 7}, {7, 0, 7},
	} {
		e := Edge{config: Config{MaxConnections: c.configured}}
		if got := e.maxConnections(c.files); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}
