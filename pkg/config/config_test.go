package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

type room struct {
	IdleTimeout time.Duration     `yaml:"idle_timeout"`
	Limit       int               `yaml:"limit"`
	Labels      map[string]string `yaml:"labels"`
}

type whole struct {
	HTTP    string   `yaml:"http" env:"TEST_ADDR"`
	Keys    []string `yaml:"keys" secret:"true"`
	Share   float64  `yaml:"share"`
	On      bool     `yaml:"on"`
	Session room     `yaml:"session"`
	Targets []room   `yaml:"targets"`
}

func load(t *testing.T, yaml string, env map[string]string) (whole, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	c := whole{HTTP: "default", Session: room{IdleTimeout: time.Minute, Limit: 3}}
	err := Load(&c, Source{File: file, Prefix: "T", LookupEnv: func(k string) (string, bool) { v, ok := env[k]; return v, ok }})
	return c, err
}

func TestLaterSourcesWin(t *testing.T) {
	t.Parallel()
	c, err := load(t, "http: file\nsession:\n  limit: 5\n", map[string]string{
		"T_SESSION_IDLE_TIMEOUT": "90s", "T_KEYS": "a, b,", "T_SHARE": "0.5", "T_ON": "true", "T_HTTP": "weak", "TEST_ADDR": "strong",
	})
	if err != nil {
		t.Fatal(err)
	}
	if c.HTTP != "strong" || c.Session.Limit != 5 || c.Session.IdleTimeout != 90*time.Second || len(c.Keys) != 2 || c.Share != 0.5 || !c.On {
		t.Errorf("loaded %+v", c)
	}
}

func TestOneDocument(t *testing.T) {
	t.Parallel()
	if _, err := load(t, "---\nhttp: file\n---\n", nil); err != nil {
		t.Errorf("marks around one document: %v", err)
	}
	if c, err := load(t, "http: file\n---\non: true\n", nil); err == nil || !strings.Contains(err.Error(), "second document") {
		t.Errorf("loaded %+v, %v", c, err)
	}
	if _, err := load(t, "http: file\n---\n\t- broken", nil); err == nil {
		t.Error("a second document that is broken was passed over")
	}
}

func TestUnknownKeySuggestsTheNearest(t *testing.T) {
	t.Parallel()
	_, err := load(t, "session:\n  idel_timeout: 5s\ntargets:\n  - limt: 1\n", nil)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{`line 2: unknown key "session.idel_timeout"; did you mean "session.idle_timeout"?`, `"targets[0].limt"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q lacks %q", err, want)
		}
	}
}

func TestUnknownShortKeySuggestsNoOtherWord(t *testing.T) {
	t.Parallel()
	_, err := load(t, "foo: 1\n", nil)
	if err == nil || !strings.Contains(err.Error(), `unknown key "foo"`) || strings.Contains(err.Error(), "did you mean") {
		t.Errorf("got %v", err)
	}
}

func TestBadValuesNameTheKey(t *testing.T) {
	t.Parallel()
	_, err := load(t, "keys: {hush: 1}\non: perhaps\nsession:\n  idle_timeout: soon\n  limit: many\ntargets: [1]\nshare: [2]\nhttp: [3]\n", nil)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		"line 1: keys: want a list", "line 2: on: want true or false", "line 4: session.idle_timeout: want a duration like 30s or 5m",
		"line 5: session.limit: want a whole number", "line 6: targets[0]: want keys with values", "line 7: share: want a number", "line 8: http: want a text",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q lacks %q", err, want)
		}
	}
	if _, err := load(t, "- http\n", nil); err == nil || !strings.HasSuffix(err.Error(), ": line 1: want keys with values") {
		t.Errorf("a list in place of it all: %v", err)
	}
	if strings.Contains(err.Error(), "hush") {
		t.Errorf("error %q shows a value", err)
	}
}

// An empty section leaves the defaults; a list may be written as an anchor.
func TestEmptyAndAliased(t *testing.T) {
	t.Parallel()
	c, err := load(t, "session:\nkeys: &k [a]\ntargets:\n  - &r {limit: 2}\n  - *r\n", nil)
	if err != nil || c.Session.Limit != 3 || len(c.Targets) != 2 || c.Targets[1].Limit != 2 {
		t.Errorf("%v %+v", err, c)
	}
}

func TestBadValuesNameTheVariable(t *testing.T) {
	t.Parallel()
	_, err := load(t, "", map[string]string{"T_SESSION_LIMIT": "many", "T_ON": "perhaps"})
	if err == nil || !strings.Contains(err.Error(), "T_SESSION_LIMIT") || !strings.Contains(err.Error(), "T_ON") {
		t.Errorf("error %v, want both variables named", err)
	}
}

func TestPrintMasksSecretsAndLoadsAgain(t *testing.T) {
	t.Parallel()
	c := whole{HTTP: "x", Keys: []string{"hush"}, Session: room{IdleTimeout: 90 * time.Second, Labels: map[string]string{"b": "2", "a": "1"}}}
	text, err := Print(&c)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "hush") || !strings.Contains(string(text), "keys: (set)") || !strings.Contains(string(text), "idle_timeout: 1m30s") {
		t.Errorf("printed:\n%s", text)
	}
	var again whole
	if err := Decode(&again, []byte(strings.ReplaceAll(string(text), "keys: (set)", "keys: []"))); err != nil {
		t.Fatal(err)
	}
	if again.Session.IdleTimeout != c.Session.IdleTimeout || again.Session.Labels["a"] != "1" {
		t.Errorf("loaded again %+v", again)
	}
}
