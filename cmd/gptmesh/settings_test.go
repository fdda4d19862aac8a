package main

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gptmesh/gptmesh/pkg/config"
	"github.com/gptmesh/gptmesh/pkg/rpc"
	"github.com/gptmesh/gptmesh/services/gpt"
)

func TestDefaultsAreRightAndPrintable(t *testing.T) {
	t.Parallel()
	s := defaultSettings()
	if err := s.validate(); err != nil {
		t.Errorf("the defaults are refused: %v", err)
	}
	text, err := config.Print(&s)
	if err != nil {
		t.Fatal(err)
	}
	again := defaultSettings()
	if err := config.Decode(&again, text); err != nil {
		t.Errorf("what is printed cannot be loaded: %v\n%s", err, text)
	}
}

func TestVariablesAreUnique(t *testing.T) {
	t.Parallel()
	s := defaultSettings()
	seen := map[string]string{}
	for _, f := range config.Fields(&s, prefix) {
		for _, v := range f.Variables {
			if other, ok := seen[v]; ok {
				t.Errorf("%s sets both %s and %s", v, other, f.Path)
			}
			seen[v] = f.Path
		}
	}
	for _, want := range []string{
		"GPTMESH_API_KEYS", "GPTMESH_DATABASE_URL", "GPTMESH_SESSION_ADDR", "GPTMESH_REQUEST_ADDR", "GPTMESH_RESPONSE_ADDR", "GPTMESH_GPT_ADDR",
		"GPTMESH_CLASSIFIER_ADDR", "GPTMESH_HTTP", "GPTMESH_GRPC", "GPTMESH_ADMIN", "GPTMESH_DATA",
	} {
		if seen[want] == "" {
			t.Errorf("no key has the variable %s", want)
		}
	}
}

func TestWithoutKeysOnlyLoopbackIsBound(t *testing.T) {
	t.Parallel()
	for address, ok := range map[string]bool{
		"127.0.0.1:1": true, "localhost:1": true, "[::1]:1": true, "0.0.0.0:1": false, ":1": false, "10.0.0.1:1": false, "host:1": false,
	} {
		s := defaultSettings()
		if err := s.bindable(address); (err == nil) != ok {
			t.Errorf("bindable(%q) = %v, want allowed %t", address, err, ok)
		}
		s.Auth.APIKeys = []string{"k"}
		if err := s.bindable(address); err != nil {
			t.Errorf("bindable(%q) with keys = %v", address, err)
		}
	}
	for _, address := range []string{"", "127.0.0.1", "4700"} {
		s := defaultSettings()
		s.Auth.APIKeys = []string{"k"}
		if err := s.bindable(address); err == nil {
			t.Errorf("%q is taken for an address", address)
		}
	}
}

func TestFlushIsOneOfTwo(t *testing.T) {
	t.Parallel()
	for flush, right := range map[string]bool{"answers": true, "behind": true, "": false, "never": false} {
		s := defaultSettings()
		s.Store.Flush = flush
		if err := s.validate(); (err == nil) != right || err != nil && !strings.Contains(err.Error(), "store: flush") {
			t.Errorf("%q: %v", flush, err)
		}
	}
}

// TestWrongSettingsNameTheirPlace sets what cannot be meant.
func TestWrongSettingsNameTheirPlace(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*settings){
		"shutdown: drain_timeout":                            func(s *settings) { s.Shutdown.DrainTimeout = -1 },
		"shutdown: leave_delay":                              func(s *settings) { s.Shutdown.LeaveDelay = -1 },
		`traces: otlp_endpoint: "http://127.0.0.1:4317"`:     func(s *settings) { s.Traces.Endpoint = "http://127.0.0.1:4317" },
		`traces: otlp_endpoint: "::::": want host:port`:      func(s *settings) { s.Traces.Endpoint = "::::" },
		`traces: otlp_endpoint: "collector": want host:port`: func(s *settings) { s.Traces.Endpoint = "collector" },
		`addresses.session: "localhost": want host:port`:     func(s *settings) { s.Addresses.Session = "localhost" },
		`admin: "on": want host:port, or off`:                func(s *settings) { s.Admin = "on" },
		`admin: "127.0.0.1:4700" is the address of http too`: func(s *settings) { s.Admin = s.HTTP },
		`grpc: "127.0.0.1:4700" is the address of http too`:  func(s *settings) { s.GRPC = s.HTTP },
		"database.url: postgres: the URL cannot be read":     func(s *settings) { s.Database.URL = "mysql://db" },
		`gpt.providers.lab.quirks: "foo" is none; a provider of the kind openai may have`: func(s *settings) {
			s.GPT.Providers = map[string]gpt.ProviderConfig{"lab": {BaseURL: "http://127.0.0.1:9/v1", Quirks: []string{"foo"}}}
		},
		"rate_limits: gpt: must not be negative": func(s *settings) { s.RateLimits.GPT = -1 },
	} {
		s := defaultSettings()
		change(&s)
		if err := s.validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	s := defaultSettings()
	for _, right := range []string{"", "127.0.0.1:4317", "[::1]:4317", "collector:4317", "dns:///collector:4317"} {
		if s.Traces.Endpoint = right; s.validate() != nil {
			t.Errorf("%q: %v", right, s.validate())
		}
	}
}

func TestEveryMethodHasAPolicy(t *testing.T) {
	t.Parallel()
	if _, err := rpc.LoadPolicies(); err != nil {
		t.Error(err)
	}
}

func TestRoomsAreOrdered(t *testing.T) {
	t.Parallel()
	got, err := ordered([]string{"gateway,request", "session"})
	if err != nil || !slices.Equal(got, []string{"session", "request", "gateway"}) {
		t.Errorf("ordered = %v, %v", got, err)
	}
	if _, err := ordered([]string{"sesion"}); err == nil || !strings.Contains(err.Error(), "sesion") {
		t.Errorf("an unknown room: %v", err)
	}
}

// testSettings gives every listener a port of its own, and the stores a folder.
func testSettings(t *testing.T) settings {
	t.Helper()
	s := defaultSettings()
	s.HTTP, s.GRPC, s.Admin, s.Data = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0", filepath.Join(t.TempDir(), "data")
	s.Log.Level = "error"
	s.GPT.Discovery.Enabled = false
	return s
}

func TestSecondProcessOnOneFolderIsRefused(t *testing.T) {
	t.Parallel()
	first := testSettings(t)
	h, err := start(context.Background(), &first, allRooms)
	if err != nil {
		t.Fatal(err)
	}
	defer h.group.Shutdown(context.Background())
	second := testSettings(t)
	second.Data = first.Data
	if other, err := start(context.Background(), &second, allRooms); err == nil {
		other.group.Shutdown(context.Background())
		t.Fatal("a second process got the same folder")
	} else if !strings.Contains(err.Error(), first.Data) {
		t.Errorf("the error does not name the folder: %v", err)
	}
}

func TestATakenAddressIsNamedWithItsFlag(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for flag, change := range map[string]func(*settings, string){
		"--http":  func(s *settings, a string) { s.HTTP = a },
		"--grpc":  func(s *settings, a string) { s.GRPC = a },
		"--admin": func(s *settings, a string) { s.Admin = a },
	} {
		s := testSettings(t)
		change(&s, taken.Addr().String())
		h, err := start(t.Context(), &s, allRooms)
		if err == nil {
			h.group.Shutdown(t.Context())
		}
		if err == nil || !strings.Contains(err.Error(), flag) || !strings.Contains(err.Error(), taken.Addr().String()) {
			t.Errorf("%s: %v", flag, err)
		}
	}
}

func TestMissingAddressIsNamed(t *testing.T) {
	t.Parallel()
	s := testSettings(t)
	_, err := start(context.Background(), &s, []string{"request"})
	if err == nil || !strings.Contains(err.Error(), "GPTMESH_SESSION_ADDR") {
		t.Errorf("start = %v, want the variable named", err)
	}
	if _, err := os.Stat(filepath.Join(s.Data, "request.db")); err == nil {
		t.Error("a store was made for a process that did not start")
	}
}

// TestACallCountsOnce uses up a limit over REST, whose calls go on to the rooms
// over a connection of the process's own.
func TestACallCountsOnce(t *testing.T) {
	t.Parallel()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for _, keys := range [][]string{nil, {"k"}} {
		s := testSettings(t)
		s.Auth.APIKeys = keys
		s.RateLimits.API, s.RateLimits.Window = 3, 100_000*time.Hour
		h, err := start(t.Context(), &s, allRooms)
		if err != nil {
			t.Fatal(err)
		}
		defer h.group.Shutdown(t.Context())
		var codes []int
		for range 4 {
			req, err := http.NewRequest(http.MethodGet, "http://"+s.HTTP+"/mesh/v1/sessions", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer k")
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			codes = append(codes, resp.StatusCode)
		}
		if want := []int{200, 200, 200, 429}; !slices.Equal(codes, want) {
			t.Errorf("keys %v: got %v, want %v", keys, codes, want)
		}
	}
}

// TestTheCommandsKeyIsNotTheMeshs tells whoever sets the key of the commands and
// has no key of the mesh.
func TestTheCommandsKeyIsNotTheMeshs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		environ []string
		open    bool
		told    bool
	}{
		{[]string{"GPTMESH_API_KEY=k"}, true, true},
		{[]string{"GPTMESH_API_KEY=k"}, false, false},
		{[]string{"GPTMESH_API_KEYS=k"}, true, false},
	} {
		var out bytes.Buffer
		warnOfStrays(slog.New(slog.NewTextHandler(&out, nil)), c.environ, c.open)
		if told := strings.Contains(out.String(), "did_you_mean=GPTMESH_API_KEYS"); told != c.told {
			t.Errorf("%v, open %v: %s", c.environ, c.open, &out)
		}
	}
}

// Whoever asks what is wrong is told of variables that set nothing, too.
func TestStraysAreTold(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	tellStrays(&out, []string{"HOME=/root", "GPTMESH_HTTP=127.0.0.1:1", "GPTMESH_HTPP=x", "GPTMESH_API_KEY=k", "GPTMESH_XYZZY_QUUX=1"})
	if want := "-      GPTMESH_HTPP sets nothing; did you mean GPTMESH_HTTP?\n-      GPTMESH_XYZZY_QUUX sets nothing\n"; out.String() != want {
		t.Errorf("got %q", out.String())
	}
}
